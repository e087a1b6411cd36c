#include "service/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "service/text.h"

namespace sluice::service {
namespace {

constexpr std::string_view bearer = "Bearer ";
constexpr std::array<std::string_view, 3> loopback_names{"localhost", "127.0.0.1", "[::1]"};

/// "name:port" into both; no port: empty.
std::pair<std::string_view, std::string_view> split_host(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket))
    return {host, {}};
  return {host.substr(0, colon), host.substr(colon + 1)};
}

}  // namespace

bool changes(const HttpRequest& request) {
  return request.method != "GET" && request.method != "HEAD";
}

bool Gate::is_our_host(const std::string& host) const {
  if (std::ranges::find(listen_.hosts, host) != listen_.hosts.end()) return true;
  const auto [name, port] = split_host(host);
  if (std::ranges::find(listen_.hosts, name) != listen_.hosts.end()) return true;
  if (url_.starts_with("unix:"))
    return std::ranges::find(loopback_names, name) != loopback_names.end();
  const auto authority = std::string_view(url_).substr(url_.find("//") + 2);
  const auto [own_name, own_port] = split_host(authority);
  if (port != own_port) return false;
  return name == own_name || std::ranges::find(loopback_names, name) != loopback_names.end();
}

bool Gate::is_our_origin(const HttpRequest& request) const {
  const std::string origin = request.header("origin");
  if (origin.empty()) return true;
  const std::string host = request.header("host");
  // Behind a proxy that ends TLS the scheme is not ours to know.
  return origin == "https://" + host || (!request.tls && origin == "http://" + host);
}

std::optional<HttpResponse> Gate::check(const HttpRequest& request) const {
  if (!is_our_host(request.header("host"))) {
    return error_response(403, "foreign_host",
                          "the service is not known by this name: use the address it listens at, "
                          "or add the name to hosts in [listen]");
  }
  if (!changes(request)) return std::nullopt;
  const std::string site = request.header("sec-fetch-site");
  const bool foreign = site == "cross-site" || site == "same-site";
  if (foreign || !is_our_origin(request)) {
    return error_response(403, "foreign_origin",
                          "requests that change something are taken from the console's own pages "
                          "only");
  }
  if (!request.body.empty() && !request.header("content-type").starts_with("application/json"))
    return error_response(415, "bad_request", "send JSON: Content-Type: application/json");
  return std::nullopt;
}

std::optional<Caller> Gate::caller(const HttpRequest& request) const {
  const std::string authorization = request.header("authorization");
  if (authorization.starts_with(bearer)) {
    return accounts_.by_token(std::string_view(authorization).substr(bearer.size()));
  }
  const std::string secret = request.cookie(session_cookie);
  if (secret.empty()) return std::nullopt;
  return accounts_.by_session(secret);
}

std::optional<HttpResponse> Gate::check_role(const HttpRequest& request,
                                             const std::optional<Caller>& caller,
                                             Role least) const {
  if (least == Role::none) return std::nullopt;
  if (!caller) return error_response(401, "signed_out", "sign in first, or send an API token");
  if (caller->role < least) {
    return error_response(403, "role_too_low",
                          fmt::format("this needs the role {}; {} is {}", to_string(least),
                                      caller->name, to_string(caller->role)));
  }
  if (!changes(request) || caller->session.empty()) return std::nullopt;
  if (equal_secrets(request.header("x-csrf-token"), caller->csrf)) return std::nullopt;
  return error_response(403, "stale_csrf",
                        "the page is out of date: load it again, then try once more");
}

}  // namespace sluice::service
