#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "net/error.h"
#include "net/login.h"
#include "net/resp.h"
#include "net/topology.h"

namespace sluice::net {

/// How to find a server that sentinels watch. Holds secrets.
struct SentinelSearch {
  std::vector<HostPort> sentinels;  ///< Asked in turn.
  std::string master;
  Login server;          ///< How to get into the server; host and port are not looked at.
  std::string user;      ///< Of the sentinels; both empty: as for the server,
  std::string password;  ///< or without, where a sentinel wants none.
  std::chrono::milliseconds patience{10'000};  ///< For a failover that is under way.
};

/// The primary and its replicas, as a shard without slots. That the primary is one was checked with
/// ROLE there; the replicas are those that the sentinel holds for up.
///
/// Errors: refused when no sentinel knows the master, or no server that they name is a primary
///         until `patience` is over; else that of the last sentinel.
[[nodiscard]] boost::asio::awaitable<Result<Shard>> find_by_sentinel(
    boost::asio::any_io_executor executor, SentinelSearch search);

/// The reply to SENTINEL get-master-addr-by-name; no host: it is not known there.
[[nodiscard]] HostPort parse_master_address(const Reply& reply);
/// The reply to SENTINEL REPLICAS, without those that are down.
[[nodiscard]] std::vector<ClusterNode> parse_sentinel_replicas(const Reply& reply);

}  // namespace sluice::net
