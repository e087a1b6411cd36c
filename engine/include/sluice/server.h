#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/result.h"

namespace sluice {

/// TLS towards a live server. Files are PEM. Used with rediss:// and valkeys://.
struct TlsSettings {
  std::string cacert;     ///< Trusted authorities; empty: the system's.
  std::string cert;       ///< Our certificate and its chain, for mutual TLS.
  std::string key;        ///< Its private key.
  std::string sni;        ///< Name to ask for and to verify; empty: the host.
  bool insecure = false;  ///< Take any certificate.
};

/// A live server and how to get in.
struct ServerAddress {
  /// redis|rediss|valkey|valkeys://[user[:password]@]host[:port][/db], with more nodes of the same
  /// cluster after a comma; or redis-sentinel://[user[:password]@]host[:port],...?master=NAME.
  std::string uri;
  std::optional<std::string> password;  ///< Wins over the one in the URI.
  /// Of the sentinels; wins over the one in the URI. Without: as for the server, or none.
  std::optional<std::string> sentinel_password;
  bool cluster = false;  ///< It is a node of a cluster, and all of the cluster is meant.
  TlsSettings tls;
  /// A server silent for longer than this is given up.
  std::chrono::milliseconds timeout{60'000};
};

/// Which node of a shard, or of what sentinels watch, is read.
enum class ReadFrom : std::uint8_t {
  prefer_replica,  ///< A replica that has all that its primary has, else the primary.
  replica,
  primary,
};

/// Whether `place` is the address of a live server rather than the path of a file.
[[nodiscard]] bool is_server_uri(std::string_view place);

/// Whether a server's address carries a password.
[[nodiscard]] bool has_password(std::string_view uri);

/// The address as messages have it, without secrets. Errors: what every job refuses of an address:
/// "bad_uri", "database_given", "bad_option".
[[nodiscard]] Result<std::string> display_address(const ServerAddress& address);

}  // namespace sluice
