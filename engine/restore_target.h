#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/server_link.h"
#include "engine/target_limits.h"
#include "net/client.h"
#include "net/connection.h"
#include "net/topology.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// A target that was looked at and may be written to.
struct ReadyTarget {
  std::unique_ptr<net::Connection> connection;
  net::ServerInfo info;
  std::uint64_t keys = 0;  ///< Over all databases, before anything was written.
  TargetLimits limits;
  std::optional<net::Topology> cluster;  ///< Of a cluster; there is no connection then.
  std::string run_ids;                   ///< Of its primaries.

  /// RESTORE knows ABSTTL, IDLETIME and FREQ. True for servers that do not say who they are.
  [[nodiscard]] bool knows_absolute_ttl() const noexcept {
    return info.flavor != net::Flavor::redis || info.major == 0 || info.major >= 5;
  }
};

/// Logs in and asks: who is it, does it hold keys, what are its limits. Writes nothing.
/// Errors: what the server refuses; cluster nodes, replicas and loading servers are refused.
[[nodiscard]] boost::asio::awaitable<net::Result<ReadyTarget>> look_at_target(
    boost::asio::any_io_executor executor, ServerLink link);

/// By CONFIG GET; what the user may not ask for is as servers have it by themselves.
[[nodiscard]] boost::asio::awaitable<net::Result<TargetLimits>> ask_limits(net::Client& client);

/// FLUSHALL, and FUNCTION FLUSH where there are functions.
[[nodiscard]] boost::asio::awaitable<net::Result<void>> flush_target(net::Connection& connection,
                                                                     ServerLink link);

/// Keys over all databases, now.
[[nodiscard]] boost::asio::awaitable<net::Result<std::uint64_t>> count_target_keys(
    net::Connection& connection, ServerLink link);

}  // namespace sluice::engine
