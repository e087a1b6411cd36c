#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/error.h"

namespace sluice::net {

/// The address of a live server. A value; holds a secret: print it through to_display() only.
struct Uri {
  bool tls = false;
  std::string host =
      "127.0.0.1";  ///< A name, an IPv4 address, or an IPv6 address without brackets.
  std::uint16_t port = 6379;
  std::string user;      ///< Empty: the default user.
  std::string password;  ///< Empty: none was given.
  std::uint32_t db = 0;
};

/// Whether `text` is meant as the address of a live server (one of the schemes below, or
/// redis-sentinel://), as against the path of a file.
[[nodiscard]] bool is_uri(std::string_view text);

/// `redis|rediss|valkey|valkeys://[user[:password]@][host][:port][/db]`; the schemes in 's' mean
/// TLS.
///
/// User and password are percent-decoded. A single word before the '@' is the user.
/// Errors: Errc::bad_uri; the detail names the part that is wrong and never repeats user or
/// password. Source: IANA "redis" scheme registration.
[[nodiscard]] Result<Uri> parse_uri(std::string_view text);

/// The address without its secrets: the password is "***", and so is a user without a password,
/// since redis-cli takes that place for the password. Not meant to be parsed again.
[[nodiscard]] std::string to_display(const Uri& uri);

}  // namespace sluice::net
