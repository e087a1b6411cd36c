#include "net/topology_fetch.h"

#include <utility>

#include "net/topology_reply.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Topology>> ask_slots(Client& client, AskedNode asked) {
  auto reply = co_await client.call("CLUSTER", "SLOTS");
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  if (reply->is_error()) co_return std::unexpected(refusal("CLUSTER SLOTS", reply->text));
  co_return parse_cluster_slots(*reply, asked);
}

asio::awaitable<Result<Topology>> ask_one(asio::any_io_executor executor, Login login) {
  auto connection = co_await log_in(executor, login);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  ClientOptions options;
  options.silence_timeout = login.silence_timeout;
  Client client(**connection, options);
  co_return co_await ask_topology(client, login);
}

}  // namespace

asio::awaitable<Result<Topology>> ask_topology(Client& client, Login asked) {
  const AskedNode node{.host = asked.connect.host, .tls = asked.connect.tls.enabled};
  auto reply = co_await client.call("CLUSTER", "SHARDS");
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  if (reply->is_error()) co_return co_await ask_slots(client, node);
  auto topology = parse_cluster_shards(*reply, node);
  if (!topology) co_return topology;
  const auto uncovered = topology->uncovered();
  if (uncovered.empty()) co_return topology;
  auto slots = co_await ask_slots(client, node);
  const bool better = slots && slots->uncovered() != uncovered;
  if (!better) co_return topology;
  slots->mark_failed(parse_failed_nodes(*reply));
  co_return slots;
}

asio::awaitable<Result<Topology>> fetch_topology(asio::any_io_executor executor, Login login,
                                                 std::vector<HostPort> seeds) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Error last{.code = Errc::connect_failed, .detail = "no node of the cluster is known"};
  for (const HostPort& seed : seeds) {
    if (seed.host.empty() || seed.port == 0) continue;
    Login to = login.at(seed);
    auto topology = co_await ask_one(executor, std::move(to));
    if (topology) co_return topology;
    last = std::move(topology.error());
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return std::unexpected(cancelled_error());
  }
  co_return std::unexpected(std::move(last));
}

}  // namespace sluice::net
