#include "net/uri.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <utility>

namespace sluice::net {
namespace {

struct Scheme {
  std::string_view name;
  bool tls;
};

constexpr std::array<Scheme, 4> schemes{
    {{"redis", false}, {"rediss", true}, {"valkey", false}, {"valkeys", true}}};
constexpr std::string_view sentinel_scheme = "redis-sentinel";

std::unexpected<Error> bad(std::string detail) {
  return std::unexpected(Error{.code = Errc::bad_uri, .detail = std::move(detail)});
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

template <class Int>
bool parse_whole(std::string_view digits, Int& value) {
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return ec == std::errc() && end == digits.data() + digits.size();
}

Result<void> take_credentials(std::string_view text, Uri& uri) {
  const std::size_t colon = text.find(':');
  auto user = percent_decoded(text.substr(0, colon));
  if (!user) return bad("the user name has a '%' that is not followed by two hex digits");
  uri.user = *std::move(user);
  if (colon == std::string_view::npos) return {};
  auto password = percent_decoded(text.substr(colon + 1));
  if (!password) return bad("the password has a '%' that is not followed by two hex digits");
  uri.password = *std::move(password);
  return {};
}

bool is_host_char(char c) {
  const char l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

// Inside brackets: IPv6, perhaps with a zone (fe80::1%eth0).
bool is_ipv6_char(char c) { return is_host_char(c) || c == ':' || c == '%'; }

// What stands here may be a password whose '@' was forgotten, so it is never repeated; the same
// goes for the host.
Result<void> take_port(std::string_view digits, Uri& uri) {
  if (!parse_whole(digits, uri.port) || uri.port == 0) {
    return bad(
        "the port is not a number from 1 to 65535 (a password stands before an '@': "
        "redis://user:password@host)");
  }
  return {};
}

Result<void> take_address(std::string_view text, Uri& uri) {
  std::string_view host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return bad("'[' of an IPv6 address without its ']'");
    host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (host.empty() || !std::ranges::all_of(host, is_ipv6_char)) {
      return bad(fmt::format("'[{}]' is not an IPv6 address", printable(host)));
    }
    if (!rest.empty() && rest.front() != ':') {
      return bad(fmt::format("'{}' after the IPv6 address", printable(rest)));
    }
  } else {
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    if (colon != std::string_view::npos) rest = text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) {
      return bad("more than one ':' in the host: an IPv6 address needs brackets, [::1]");
    }
    if (!std::ranges::all_of(host, is_host_char)) {
      return bad("the host has a character that no host name has");
    }
  }
  if (!host.empty()) uri.host = host;
  if (!rest.empty()) return take_port(rest.substr(1), uri);
  return {};
}

Result<void> take_db(std::string_view text, Uri& uri) {
  if (text.empty()) return {};
  constexpr std::uint32_t db_max = 0x7fffffff;  // servers keep it in an int
  if (!parse_whole(text, uri.db) || uri.db > db_max) {
    return bad(fmt::format("database '/{}' is not a number", printable(text)));
  }
  return {};
}

/// What stands behind '?': NAME=VALUE, with '&' between.
Result<void> take_query(std::string_view text, SentinelUri& uri) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string_view raw =
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    auto value = percent_decoded(raw);
    if (!value) return bad("a '%' behind the '?' is not followed by two hex digits");
    if (name == "master") {
      uri.master = *std::move(value);
    } else if (name == "sentinel-user") {
      uri.sentinel_user = *std::move(value);
    } else if (name == "sentinel-password") {
      uri.sentinel_password = *std::move(value);
    } else {
      return bad(
          fmt::format("'{}' behind the '?' is not known: master, sentinel-user and "
                      "sentinel-password are",
                      printable(name)));
    }
  }
  if (uri.master.empty()) return bad("redis-sentinel:// needs the master's name: ?master=NAME");
  return {};
}

/// Nodes of a cluster may follow the first host.
Result<void> take_hosts(std::string_view text, Uri& uri) {
  const std::size_t comma = text.find(',');
  if (auto taken = take_address(text.substr(0, comma), uri); !taken) return taken;
  while (!text.empty() && text.find(',') != std::string_view::npos) {
    text.remove_prefix(text.find(',') + 1);
    Uri another;
    if (auto taken = take_address(text.substr(0, text.find(',')), another); !taken) return taken;
    uri.more_hosts.push_back({.host = another.host, .port = another.port});
  }
  return {};
}

Result<void> take_sentinels(std::string_view text, SentinelUri& uri) {
  constexpr std::uint16_t sentinel_port = 26379;
  do {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    Uri address;
    address.port = sentinel_port;
    if (auto taken = take_address(one, address); !taken) return taken;
    uri.sentinels.push_back({.host = address.host, .port = address.port});
  } while (!text.empty());
  return {};
}

}  // namespace

bool is_uri(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, end);
  return same_ignoring_case(name, sentinel_scheme) ||
         std::ranges::any_of(schemes,
                             [&](const Scheme& s) { return same_ignoring_case(name, s.name); });
}

bool is_sentinel_uri(std::string_view text) {
  const std::size_t end = text.find("://");
  return end != std::string_view::npos && same_ignoring_case(text.substr(0, end), sentinel_scheme);
}

Result<SentinelUri> parse_sentinel_uri(std::string_view text) {
  if (!is_sentinel_uri(text)) return bad("expected redis-sentinel://");
  SentinelUri uri;
  std::string_view rest = text.substr(text.find("://") + 3);
  const std::size_t query = rest.rfind("?");
  if (query != std::string_view::npos) {
    if (auto taken = take_query(rest.substr(query + 1), uri); !taken)
      return std::unexpected(std::move(taken.error()));
    rest = rest.substr(0, query);
  }
  if (uri.master.empty()) return bad("redis-sentinel:// needs the master's name: ?master=NAME");
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    Uri credentials;
    if (auto taken = take_credentials(rest.substr(0, at), credentials); !taken)
      return std::unexpected(std::move(taken.error()));
    uri.user = std::move(credentials.user);
    uri.password = std::move(credentials.password);
    rest.remove_prefix(at + 1);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (auto taken = take_sentinels(rest, uri); !taken)
    return std::unexpected(std::move(taken.error()));
  return uri;
}

std::string to_display(const SentinelUri& uri) {
  std::string text = "redis-sentinel://";
  for (const HostPort& sentinel : uri.sentinels) {
    if (&sentinel != &uri.sentinels.front()) text += ',';
    text += printable(to_text(sentinel));
  }
  return text + "?master=" + printable(uri.master);
}

Result<Uri> parse_uri(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || !is_uri(text)) {
    return bad("expected redis://, rediss://, valkey:// or valkeys://");
  }
  const std::string_view name = text.substr(0, end);
  if (same_ignoring_case(name, sentinel_scheme)) {
    return bad("redis-sentinel:// names sentinels; here the address of a server is needed");
  }
  Uri uri;
  for (const Scheme& scheme : schemes) {
    if (same_ignoring_case(name, scheme.name)) uri.tls = scheme.tls;
  }
  std::string_view rest = text.substr(end + 3);
  // The last '@' ends the credentials: a password that was not percent-encoded may hold '@' or '/'.
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    if (auto taken = take_credentials(rest.substr(0, at), uri); !taken) {
      return std::unexpected(std::move(taken.error()));
    }
    rest.remove_prefix(at + 1);
  }
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return bad("a query ('?') or fragment ('#') is not supported");
  }
  const std::size_t slash = rest.find('/');
  if (auto taken = take_hosts(rest.substr(0, slash), uri); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  if (slash != std::string_view::npos) {
    if (auto taken = take_db(rest.substr(slash + 1), uri); !taken) {
      return std::unexpected(std::move(taken.error()));
    }
  }
  return uri;
}

std::string to_display(const Uri& uri) {
  std::string credentials;
  if (!uri.user.empty() && !uri.password.empty()) credentials = printable(uri.user) + ":***@";
  if (uri.user.empty() != uri.password.empty()) credentials = "***@";
  std::string hosts = printable(to_text(HostPort{.host = uri.host, .port = uri.port}));
  for (const HostPort& another : uri.more_hosts) hosts += "," + printable(to_text(another));
  return fmt::format("{}://{}{}/{}", uri.tls ? "rediss" : "redis", credentials, hosts, uri.db);
}

}  // namespace sluice::net
