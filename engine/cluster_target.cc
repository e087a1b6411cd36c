#include "engine/cluster_target.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>

#include "engine/cluster_view.h"
#include "engine/restore_ledger.h"
#include "engine/restore_target.h"
#include "net/client.h"

namespace sluice::engine {

namespace asio = boost::asio;

namespace {

/// What one primary says.
struct PrimaryFacts {
  net::ServerInfo info;
  std::uint64_t keys = 0;
  TargetLimits limits;
};

asio::awaitable<net::Result<PrimaryFacts>> look_at_primary(asio::any_io_executor executor,
                                                           ServerLink link) {
  PrimaryFacts facts;
  auto connection = co_await log_in(executor, link);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  auto keys = co_await count_target_keys(**connection, link);
  if (!keys) co_return std::unexpected(std::move(keys.error()));
  facts.keys = *keys;
  net::ClientOptions options;
  options.silence_timeout = link.timeout;
  net::Client client(**connection, options);
  auto limits = co_await ask_limits(client);
  if (!limits) co_return std::unexpected(std::move(limits.error()));
  facts.limits = *limits;
  auto info = co_await net::fetch_server_info(client);
  if (!info) co_return std::unexpected(std::move(info.error()));
  facts.info = *std::move(info);
  co_return facts;
}

asio::awaitable<net::Result<void>> flush_primary(asio::any_io_executor executor, ServerLink link) {
  auto connection = co_await log_in(executor, link);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  co_return co_await flush_target(**connection, link);
}

bool is_older(const net::ServerInfo& a, const net::ServerInfo& b) {
  return std::tuple(a.major, a.minor) < std::tuple(b.major, b.minor);
}

net::Error scratch_failure(const Error& error) {
  return {.code = std::make_error_code(std::errc::io_error), .detail = error.message};
}

}  // namespace

Result<ReadyTarget> look_at_cluster(IoThread& io, const ServerLink& link, const JobContext& job) {
  auto view = view_cluster(io, link, Role::target, job);
  if (!view) return std::unexpected(view.error());
  ReadyTarget target;
  bool is_first = true;
  for (const net::Shard& shard : view->topology.shards()) {
    const ServerLink at = link.at(shard.primary.address);
    auto facts = io.run(look_at_primary(io.executor(), at), job.stop);
    if (!facts) return std::unexpected(from_net(facts.error(), Role::target, at.display));
    target.keys += facts->keys;
    target.run_ids += facts->info.run_id;
    target.limits = is_first ? facts->limits : target.limits.least(facts->limits);
    if (std::exchange(is_first, false) || is_older(facts->info, target.info))
      target.info = std::move(facts->info);
  }
  target.cluster = std::move(view->topology);
  return target;
}

Result<void> flush_cluster(IoThread& io, const ServerLink& link, const net::Topology& topology,
                           const JobContext& job) {
  for (const net::Shard& shard : topology.shards()) {
    const ServerLink at = link.at(shard.primary.address);
    const auto flushed = io.run(flush_primary(io.executor(), at), job.stop);
    if (!flushed) return std::unexpected(from_net(flushed.error(), Role::target, at.display));
  }
  return {};
}

Result<std::uint64_t> count_cluster_keys(IoThread& io, const ServerLink& link,
                                         const JobContext& job) {
  const auto cluster = look_at_cluster(io, link, job);
  if (!cluster) return std::unexpected(cluster.error());
  return cluster->keys;
}

net::Result<void> ScratchCommand::append(std::span<const std::byte> bytes) {
  spool_.append(bytes);
  if (spool_.error()) return std::unexpected(scratch_failure(*spool_.error()));
  return {};
}

net::Result<std::span<const std::byte>> ScratchCommand::piece(std::uint64_t offset,
                                                              std::size_t bytes_max) {
  const auto bytes = spool_.piece(offset, bytes_max);
  if (spool_.error()) return std::unexpected(scratch_failure(*spool_.error()));
  return bytes;
}

net::ClusterWriterOptions::Route route_of(std::uint64_t tag) {
  using Route = net::ClusterWriterOptions::Route;
  switch (CommandTag::unpack(tag).kind) {
    case CommandTag::Kind::key:
    case CommandTag::Kind::exists:
    case CommandTag::Kind::removal: return Route::by_key;
    case CommandTag::Kind::function:
    case CommandTag::Kind::script: return Route::every_primary;
    case CommandTag::Kind::select: return Route::session;
  }
  return Route::by_key;
}

std::vector<std::string> notes_on(const net::ClusterWriterStats& stats, OnConflict policy) {
  std::vector<std::string> notes;
  if (stats.redirected + stats.put_off + stats.lost_links > 0) {
    notes.push_back(
        fmt::format("the cluster changed meanwhile: {} command(s) redirected, {} put off, {} "
                    "connection(s) lost, {} command(s) sent again",
                    stats.redirected, stats.put_off, stats.lost_links, stats.sent_again));
  }
  if (stats.sent_again > 0 && policy == OnConflict::skip) {
    notes.emplace_back(
        "a key whose answer was lost and that is there now counts as skipped, though it may be "
        "this restore that wrote it");
  }
  if (stats.unconfirmed) {
    notes.emplace_back(
        "a replica did not confirm what was written (WAIT): had its primary failed just then, keys "
        "could be missing");
  }
  return notes;
}

}  // namespace sluice::engine
