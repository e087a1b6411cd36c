#include "engine/cluster_view.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "net/deadline.h"
#include "net/topology_fetch.h"

namespace sluice::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

net::Error refused(std::string detail) {
  return {.code = net::Errc::refused, .detail = std::move(detail)};
}

Error cluster_error(std::string code, std::string message) {
  return {.stage = Stage::net, .code = std::move(code), .message = std::move(message)};
}

asio::awaitable<net::Result<std::vector<net::Migration>>> ask_migrations(
    asio::any_io_executor executor, ServerLink link) {
  auto connection = co_await log_in(executor, link);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  net::ClientOptions options;
  options.silence_timeout = link.timeout;
  net::Client client(**connection, options);
  auto reply = co_await client.call("CLUSTER", "NODES");
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  if (reply->is_error()) co_return std::unexpected(net::refusal("CLUSTER NODES", reply->text));
  co_return net::parse_migrations(reply->text);
}

Result<void> require_whole(const net::Topology& topology, const ServerLink& link) {
  for (const net::Shard& shard : topology.shards()) {
    if (!shard.primary.failed) continue;
    return std::unexpected(cluster_error(
        "shard_down",
        fmt::format("cluster {}: the primary of slots {} ({}) has failed and no "
                    "replica has taken its place: run this again when one has",
                    link.display, net::to_text(shard.slots), net::to_text(shard.primary.address))));
  }
  const auto uncovered = topology.uncovered();
  if (uncovered.empty()) return {};
  return std::unexpected(cluster_error(
      "slots_uncovered", fmt::format("cluster {}: no node serves slots {}: see CLUSTER NODES, and "
                                     "redis-cli --cluster fix",
                                     link.display, net::to_text(uncovered))));
}

/// Why it will not do; empty when it does, once it has `offset`.
std::string why_not(const net::ServerInfo& info, std::uint64_t offset) {
  if (info.loading) return "is loading";
  if (info.role != "slave") return "is no replica any more";
  if (!info.primary_link_up) return "has no link to its primary";
  return info.repl_offset < offset ? "lags behind its primary" : "";
}

/// Waits a little for a replica that is behind.
asio::awaitable<net::Result<net::ServerInfo>> await_in_sync(asio::any_io_executor executor,
                                                            ServerLink link, std::uint64_t offset) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (true) {
    auto info = co_await ask_server_info(executor, link);
    if (!info) co_return info;
    const std::string why = why_not(*info, offset);
    if (why.empty()) co_return info;
    const bool is_behind = info->primary_link_up && info->repl_offset < offset;
    if (!is_behind || std::chrono::steady_clock::now() > deadline)
      co_return std::unexpected(refused(why));
    const bool waited = co_await net::passed(100ms);
    if (!waited) co_return std::unexpected(net::cancelled_error());
  }
}

}  // namespace

Result<ClusterView> view_cluster(IoThread& io, const ServerLink& link, Role role,
                                 const JobContext& job) {
  auto topology = io.run(net::fetch_topology(io.executor(), link.login(), link.seeds), job.stop);
  if (!topology) {
    Error error = from_net(topology.error(), role, link.display);
    if (topology.error().detail.contains("cluster support disabled")) {
      error.message += "; it is no node of a cluster: leave --cluster out";
    }
    return std::unexpected(std::move(error));
  }
  if (auto whole = require_whole(*topology, link); !whole) return std::unexpected(whole.error());
  ClusterView view{.topology = *std::move(topology), .migrations = {}};
  for (const net::Shard& shard : view.topology.shards()) {
    const ServerLink at = link.at(shard.primary.address);
    auto migrations = io.run(ask_migrations(io.executor(), at), job.stop);
    if (!migrations) return std::unexpected(from_net(migrations.error(), role, at.display));
    view.migrations.push_back(*std::move(migrations));
  }
  return view;
}

net::Result<NodeChoice> choose_node(IoThread& io, const ServerLink& link, const net::Shard& shard,
                                    ReadFrom from, const std::stop_token& stop) {
  NodeChoice choice;
  choice.address = shard.primary.address;
  auto primary = io.run(ask_server_info(io.executor(), link.at(choice.address)), stop);
  if (!primary) return std::unexpected(std::move(primary.error()));
  const std::uint64_t offset = primary->repl_offset;
  choice.info = *std::move(primary);
  if (from == ReadFrom::primary) return choice;
  for (const net::ClusterNode& replica : shard.replicas) {
    if (replica.failed) continue;
    auto info = io.run(await_in_sync(io.executor(), link.at(replica.address), offset), stop);
    if (info) {
      choice.address = replica.address;
      choice.info = *std::move(info);
      choice.is_replica = true;
      return choice;
    }
    const net::Error& error = info.error();
    if (error.code == net::Errc::cancelled) return std::unexpected(error);
    choice.why_no_replica =
        net::to_text(replica.address) + " " +
        (error.code == net::Errc::refused ? error.detail : error.code.message());
  }
  if (from != ReadFrom::replica) return choice;
  std::string why = "it has no replica that could be read";
  if (!choice.why_no_replica.empty()) why += ": " + choice.why_no_replica;
  return std::unexpected(refused(std::move(why)));
}

Result<FoundSource> find_source(IoThread& io, const ServerLink& link, ReadFrom from,
                                const ProgressMeter& meter, const JobContext& job) {
  const auto fail = [&link](const net::Error& error) {
    return std::unexpected(from_net(error, Role::source, link.display));
  };
  if (!link.is_sentinel()) {
    auto info = io.run(ask_server_info(io.executor(), link), job.stop);
    if (!info) return fail(info.error());
    return FoundSource{.link = link, .info = *std::move(info)};
  }
  auto shard = io.run(net::find_by_sentinel(io.executor(), link.search), job.stop);
  if (!shard) return fail(shard.error());
  auto choice = choose_node(io, link, *shard, from, job.stop);
  if (!choice) return fail(choice.error());
  meter.notice(fmt::format(
      "reading from the {} {}{}", choice->is_replica ? "replica" : "primary",
      net::to_text(choice->address),
      choice->why_no_replica.empty() || choice->is_replica ? "" : ": " + choice->why_no_replica));
  FoundSource found{.link = link.at(choice->address), .info = std::move(choice->info)};
  found.link.display = link.display;
  return found;
}

}  // namespace sluice::engine
