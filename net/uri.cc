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

}  // namespace

bool is_uri(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, end);
  return same_ignoring_case(name, sentinel_scheme) ||
         std::ranges::any_of(schemes,
                             [&](const Scheme& s) { return same_ignoring_case(name, s.name); });
}

Result<Uri> parse_uri(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || !is_uri(text)) {
    return bad("expected redis://, rediss://, valkey:// or valkeys://");
  }
  const std::string_view name = text.substr(0, end);
  if (same_ignoring_case(name, sentinel_scheme)) {
    return bad("redis-sentinel:// is not supported yet: give the address of the server itself");
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
  if (auto taken = take_address(rest.substr(0, slash), uri); !taken) {
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
  const bool ipv6 = uri.host.contains(':');
  return fmt::format("{}://{}{}{}{}:{}/{}", uri.tls ? "rediss" : "redis", credentials,
                     ipv6 ? "[" : "", printable(uri.host), ipv6 ? "]" : "", uri.port, uri.db);
}

}  // namespace sluice::net
