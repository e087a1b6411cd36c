#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <vector>

#include "net/client.h"
#include "net/error.h"
#include "net/login.h"
#include "net/topology.h"

namespace sluice::net {

/// Asks a node of a cluster for its view: CLUSTER SHARDS, or CLUSTER SLOTS where that is not known,
/// not allowed, or leaves slots out (Redis 7.0 may while a primary fails over).
/// Errors: refused when it is no node of a cluster; as refusal() says; those of Client.
[[nodiscard]] boost::asio::awaitable<Result<Topology>> ask_topology(Client& client, Login asked);

/// Asks one after the other until one answers. `login` says how to get into each of `seeds`.
/// Errors: that of the last one; cancelled.
[[nodiscard]] boost::asio::awaitable<Result<Topology>> fetch_topology(
    boost::asio::any_io_executor executor, Login login, std::vector<HostPort> seeds);

}  // namespace sluice::net
