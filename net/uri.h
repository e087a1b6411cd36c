#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/error.h"
#include "net/topology.h"

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
  std::vector<HostPort> more_hosts;  ///< Other nodes of the same cluster.
};

/// Whether `text` is meant as the address of a live server (one of the schemes below, or
/// redis-sentinel://), as against the path of a file.
[[nodiscard]] bool is_uri(std::string_view text);

/// `redis|rediss|valkey|valkeys://[user[:password]@][host][:port][,host[:port]]...[/db]`; the
/// schemes in 's' mean TLS.
///
/// User and password are percent-decoded. A single word before the '@' is the user.
/// Errors: Errc::bad_uri; the detail names the part that is wrong and never repeats user or
/// password. Source: IANA "redis" scheme registration.
[[nodiscard]] Result<Uri> parse_uri(std::string_view text);

/// A server that sentinels know where to find. Holds secrets: print it through to_display() only.
struct SentinelUri {
  std::vector<HostPort> sentinels;
  std::string master;  ///< The name under which they watch it.
  std::string user;    ///< Of the server.
  std::string password;
  std::string sentinel_user;  ///< Of the sentinels.
  std::string sentinel_password;
};

[[nodiscard]] bool is_sentinel_uri(std::string_view text);

/// `redis-sentinel://[user[:password]@]host[:port],host[:port]...?master=NAME`, perhaps with
/// `&sentinel-user=` and `&sentinel-password=`; ports are 26379 unless given.
///
/// Errors: as parse_uri(); bad_uri without a master.
[[nodiscard]] Result<SentinelUri> parse_sentinel_uri(std::string_view text);

/// Hosts and master, no credentials.
[[nodiscard]] std::string to_display(const SentinelUri& uri);

/// The address without its secrets: the password is "***", and so is a user without a password,
/// since redis-cli takes that place for the password. Not meant to be parsed again.
[[nodiscard]] std::string to_display(const Uri& uri);

}  // namespace sluice::net
