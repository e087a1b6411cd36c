#include "service/router.h"

#include <boost/json/parse.hpp>
#include <chrono>
#include <exception>

#include "service/assets.h"
#include "service/json.h"
#include "service/text.h"

namespace sluice::service {
namespace {

constexpr std::string_view api = "/api/v1";

HttpResponse asset_response(const Asset& asset) {
  return {.status = 200, .type = std::string(asset.type), .body = std::string(asset.bytes)};
}

std::string outcome_of(const HttpResponse& response) {
  if (response.status < 400) return "ok";
  return response.status < 500 ? "refused" : "failed";
}

/// What the log calls the thing that was meant.
std::string object_of(const Call& call) {
  std::string object;
  for (const auto& [name, value] : call.path) object += (object.empty() ? "" : " ") + value;
  return object;
}

std::string message_of(const HttpResponse& response) {
  if (response.status < 400) return {};
  const auto error = parse_object(response.body).at("error").as_object();
  return text_of(error, "message");
}

}  // namespace

Router::Router(Core& core, const Gate& gate, std::vector<Route> routes)
    : core_(core), gate_(gate), routes_(std::move(routes)) {
  for (const Route& route : routes_) {
    HttpRequest pattern;
    static_cast<void>(split_target(std::string(api) + std::string(route.pattern), pattern));
    patterns_.push_back(std::move(pattern.segments));
  }
}

Router::Match Router::match(const HttpRequest& request) const {
  Match match;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const auto& pattern = patterns_[i];
    if (pattern.size() != request.segments.size()) continue;
    std::map<std::string, std::string> path;
    bool fits = true;
    for (std::size_t k = 0; k < pattern.size() && fits; ++k) {
      const std::string& part = pattern[k];
      if (part.starts_with('{')) {
        path[part.substr(1, part.size() - 2)] = request.segments[k];
        fits = !request.segments[k].empty();
      } else {
        fits = part == request.segments[k];
      }
    }
    if (!fits) continue;
    if (routes_[i].method == request.method) return {.route = &routes_[i], .path = std::move(path)};
    match.other_method = true;
  }
  return match;
}

bool Router::is_slow(const HttpRequest& request) const {
  const Match found = match(request);
  return found.route != nullptr && found.route->slow;
}

HttpResponse Router::handle(const HttpRequest& request) const {
  const auto begun = std::chrono::steady_clock::now();
  HttpResponse response = answer(request);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
  core_.metrics.request_finished(request.method, label_of(request), response.status, taken.count());
  return response;
}

std::string_view Router::label_of(const HttpRequest& request) const {
  if (request.path == "/metrics") return "metrics";
  if (!request.path.starts_with(std::string(api) + "/"))
    return find_asset(request.path) != nullptr || request.path == "/" ? "page" : "other";
  const Match found = match(request);
  return found.route == nullptr ? "other" : found.route->pattern;
}

HttpResponse Router::answer(const HttpRequest& request) const {
  if (const auto refusal = gate_.check(request)) return *refusal;
  if (request.path.starts_with(std::string(api) + "/")) return handle_api(request);
  if (changes(request)) return error_response(405, "bad_request", "only GET is taken here");
  if (request.path == "/healthz") return json_response({{"status", "ok"}});
  if (request.path == "/metrics") {
    const auto caller = gate_.caller(request);
    const bool open = core_.config()->metrics_open;
    if (const auto refusal = gate_.check_role(request, caller, open ? Role::none : Role::viewer))
      return *refusal;
    return {.status = 200,
            .type = "text/plain; version=0.0.4; charset=utf-8",
            .body = core_.metrics_text()};
  }
  if (const Asset* asset = find_asset(request.path == "/" ? "/index.html" : request.path))
    return asset_response(*asset);
  return error_response(404, "not_found", "there is no such page");
}

HttpResponse Router::handle_api(const HttpRequest& request) const {
  Match found = match(request);
  if (found.route == nullptr && found.other_method)
    return error_response(405, "bad_request", "this method is not taken here");
  if (found.route == nullptr) return error_response(404, "not_found", "there is no such operation");
  const Route& route = *found.route;
  const auto caller = gate_.caller(request);
  Call call{.core = core_,
            .request = request,
            .caller = caller.value_or(Caller{.name = "-"}),
            .path = std::move(found.path),
            .body = {},
            .detail = {}};
  HttpResponse response;
  if (auto refusal = gate_.check_role(request, caller, route.role)) {
    response = *std::move(refusal);
  } else {
    boost::system::error_code bad;
    auto body = request.body.empty() ? boost::json::value(boost::json::object())
                                     : boost::json::parse(request.body, bad);
    if (bad || !body.is_object()) {
      response = error_response(400, "bad_request", "the body has to be a JSON object");
    } else {
      call.body = std::move(body.as_object());
      try {
        response = route.handler(call);
      } catch (const std::exception& problem) {
        response = error_response(
            500, {.stage = Stage::engine, .code = "fault", .message = problem.what()});
      }
    }
  }
  // Who is not signed in cannot fill the log, nor can who guesses passwords.
  const bool stranger = !caller && route.role != Role::none;
  if (!route.action.empty() && !stranger && response.status != 429) note(route, call, response);
  return response;
}

void Router::note(const Route& route, const Call& call, const HttpResponse& response) const {
  core_.audit.add({.seq = 0,
                   .at_ms = now_ms(),
                   .actor = call.caller.name,
                   .address = call.request.peer,
                   .action = std::string(route.action),
                   .object = object_of(call),
                   .outcome = outcome_of(response),
                   .detail = call.detail.empty() ? message_of(response) : call.detail});
}

}  // namespace sluice::service
