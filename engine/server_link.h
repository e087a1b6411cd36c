#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "net/client.h"
#include "net/connection.h"
#include "net/login.h"
#include "net/sentinel.h"
#include "net/uri.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice::engine {

/// A ServerAddress, taken apart for the net layer. Holds a secret: show `display` only.
struct ServerLink {
  net::ConnectOptions connect;
  std::string user;
  std::string password;
  std::chrono::milliseconds timeout{};
  std::string display;  ///< URI without secrets.
  bool cluster = false;
  std::vector<net::HostPort> seeds;  ///< Nodes of a cluster that the address names.
  net::SentinelSearch search;  ///< Of a redis-sentinel:// address; `connect` has no host then.

  [[nodiscard]] bool is_sentinel() const noexcept { return !search.sentinels.empty(); }
  [[nodiscard]] net::Login login() const;
  /// More nodes to ask, after those that are there.
  void add_seeds(const std::vector<net::HostPort>& addresses) {
    seeds.insert(seeds.end(), addresses.begin(), addresses.end());
  }
  /// The same for one server of the cluster, or of those that the sentinels watch.
  [[nodiscard]] ServerLink at(const net::HostPort& address) const;
};

/// Errors: "bad_uri"; "database_given", since every job is about all databases; "bad_option" for
/// several hosts without `cluster`, and for sentinels with it.
[[nodiscard]] Result<ServerLink> make_link(const ServerAddress& address);

/// Opens a connection and logs in; by sentinels, to the primary.
[[nodiscard]] boost::asio::awaitable<net::Result<std::unique_ptr<net::Connection>>> log_in(
    boost::asio::any_io_executor executor, ServerLink link);

/// Logs in, asks who is there, and leaves.
[[nodiscard]] boost::asio::awaitable<net::Result<net::ServerInfo>> ask_server_info(
    boost::asio::any_io_executor executor, ServerLink link);

/// The name under which notes of a server are kept in a repository (storage::TargetNote):
/// "host-port".
[[nodiscard]] std::string target_note_name(const ServerLink& link);

}  // namespace sluice::engine
