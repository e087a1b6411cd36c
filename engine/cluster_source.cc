#include "engine/cluster_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "engine/cluster_view.h"
#include "engine/errors.h"
#include "engine/io_thread.h"
#include "engine/snapshot_reception.h"
#include "net/key_slot.h"

namespace sluice::engine {
namespace {

constexpr std::size_t streams_max = 8;
constexpr std::size_t blocks_in_all = 16;
constexpr unsigned attempts_max = 3;

/// One shard on its way.
struct ShardRead {
  net::Shard shard;
  NodeChoice node;
  ServerLink link;
  bool must_be_primary = false;
  std::set<std::size_t> after;  ///< Shards whose snapshots have to be older than this one.
  std::unique_ptr<SnapshotReception> reception;
  unsigned attempts = 0;
  SnapshotReception::Clock::time_point asked_at;  ///< Its offset; the snapshot is not older.
  bool is_fresh = false;                          ///< Whether that is so.
  bool is_behind = false;
  std::optional<net::SnapshotStats> stats;  ///< Once it is complete.
};

/// Reads all shards.
class ClusterReading {
 public:
  ClusterReading(const BackupOptions& options, ServerLink link, const ClusterConsumer& consumer,
                 ProgressMeter& meter, const JobContext& job)
      : options_(options), link_(std::move(link)), consumer_(consumer), meter_(meter), job_(job) {}
  ClusterReading(const ClusterReading&) = delete;
  ClusterReading& operator=(const ClusterReading&) = delete;
  ~ClusterReading() { abort(); }

  Result<ClusterOrigin> run() {
    meter_.set_phase("connecting");
    meter_.update(0, 0);
    auto view = view_cluster(io_, link_, Role::source, job_);
    if (!view) return std::unexpected(view.error());
    if (auto planned = plan(*view); !planned) return std::unexpected(planned.error());
    if (auto begun = consumer_.begin(view->topology); !begun) return std::unexpected(begun.error());
    meter_.set_phase("waiting for the shards to save");
    if (auto received = receive_all(); !received) return std::unexpected(received.error());
    meter_.set_phase("checking the slots");
    if (auto same = check_after(*view); !same) return std::unexpected(same.error());
    return origin();
  }

 private:
  Result<void> plan(const ClusterView& view) {
    for (const net::Shard& shard : view.topology.shards()) {
      ShardRead& read = reads_.emplace_back();
      read.shard = shard;
    }
    plan_order(view);
    if (auto sound = refuse_circles(); !sound) return sound;
    for (ShardRead& read : reads_) {
      if (auto chosen = choose(read); !chosen) return chosen;
    }
    return {};
  }

  /// Keys that move are looked for where they leave before they are where they arrive.
  void plan_order(const ClusterView& view) {
    for (std::size_t i = 0; i < reads_.size(); ++i) {
      for (const net::Migration& migration : view.migrations[i]) {
        const auto peer = shard_of(migration.peer);
        if (!peer) continue;
        const auto [from, to] = migration.leaves ? std::pair(i, *peer) : std::pair(*peer, i);
        reads_[to].after.insert(from);
        reads_[from].must_be_primary = reads_[to].must_be_primary = true;
      }
    }
  }

  [[nodiscard]] std::optional<std::size_t> shard_of(const std::string& node_id) const {
    for (std::size_t i = 0; i < reads_.size(); ++i) {
      if (reads_[i].shard.primary.id == node_id) return i;
    }
    return std::nullopt;
  }

  Result<void> refuse_circles() {
    std::vector<bool> done(reads_.size());
    for (std::size_t round = 0; round < reads_.size(); ++round) {
      for (std::size_t i = 0; i < reads_.size(); ++i) {
        done[i] = done[i] || std::ranges::all_of(reads_[i].after,
                                                 [&](std::size_t before) { return done[before]; });
      }
    }
    if (std::ranges::find(done, false) == done.end()) return {};
    return std::unexpected(Error{
        .stage = Stage::net,
        .code = "slots_moved",
        .message = fmt::format("cluster {}: shards are moving slots to each other, so that no "
                               "order of snapshots is safe; run this again when one of the "
                               "moves is done",
                               link_.display)});
  }

  Result<void> choose(ShardRead& read) {
    const ReadFrom from = read.must_be_primary ? ReadFrom::primary : options_.from;
    auto choice = choose_node(io_, link_, read.shard, from, job_.stop);
    if (!choice) {
      const std::string where = link_.at(read.shard.primary.address).display;
      return std::unexpected(from_net(choice.error(), Role::source, where));
    }
    const bool disappointed =
        from == ReadFrom::prefer_replica && !choice->is_replica && !choice->why_no_replica.empty();
    if (disappointed) {
      meter_.notice(fmt::format("slots {}: the primary is read, since {}",
                                net::to_text(read.shard.slots), choice->why_no_replica));
    }
    read.node = *std::move(choice);
    read.link = link_.at(read.node.address);
    return {};
  }

  Result<void> receive_all() {
    std::vector<std::byte> block;
    bool quiet = true;
    const auto is_complete = [](const ShardRead& read) { return read.stats.has_value(); };
    while (!std::ranges::all_of(reads_, is_complete)) {
      if (auto started = start_some(); !started) return started;
      bool got_some = false;
      for (std::size_t i = 0; i < reads_.size(); ++i) {
        const auto got = take_block(i, block, quiet);
        if (!got) return std::unexpected(got.error());
        got_some = got_some || *got;
      }
      quiet = !got_some;
      if (quiet) consumer_.idle();
      tell_pressure();
    }
    return {};
  }

  [[nodiscard]] bool is_running(const ShardRead& read) const {
    return read.reception && !read.stats;
  }

  Result<void> start_some() {
    auto running = static_cast<std::size_t>(
        std::ranges::count_if(reads_, [this](const ShardRead& read) { return is_running(read); }));
    for (ShardRead& read : reads_) {
      if (running >= streams_max) break;
      const bool may_start = std::ranges::all_of(read.after, [this](std::size_t before) {
        return reads_[before].reception && reads_[before].reception->begun();
      });
      if (read.reception || !may_start) continue;
      if (auto started = start(read); !started) return started;
      ++running;
    }
    return {};
  }

  Result<void> start(ShardRead& read) {
    read.asked_at = SnapshotReception::Clock::now();
    auto info = io_.run(ask_server_info(io_.executor(), read.link), job_.stop);
    if (!info) return std::unexpected(from_net(info.error(), Role::source, read.link.display));
    read.node.info = *std::move(info);
    // A snapshot that was made for another replica may be older than this moment. Mostly that does
    // not matter.
    const bool must_be_fresh = !read.after.empty() && ++read.attempts <= attempts_max;
    const std::size_t streams = std::min(reads_.size(), streams_max);
    read.reception =
        std::make_unique<SnapshotReception>(std::max<std::size_t>(2, blocks_in_all / streams));
    read.reception->start(io_, read.link, must_be_fresh ? read.node.info.repl_offset : 0,
                          stop_.get_token());
    return {};
  }

  /// Whether there was anything.
  Result<bool> take_block(std::size_t index, std::vector<std::byte>& block, bool quiet) {
    ShardRead& read = reads_[index];
    if (!is_running(read)) return false;
    BlockQueue& queue = read.reception->queue();
    const auto popped = queue.pop(block, std::chrono::milliseconds(quiet ? 10 : 0));
    if (popped == BlockQueue::Popped::end) return end(read);
    if (popped == BlockQueue::Popped::nothing_yet) return false;
    if (!receiving_) meter_.set_phase("receiving");
    receiving_ = true;
    read.is_behind = queue.is_behind();
    auto consumed = consumer_.consume(index, block);
    queue.recycle(std::move(block));
    if (!consumed) return std::unexpected(consumed.error());
    return true;
  }

  Result<bool> end(ShardRead& read) {
    if (const auto error = read.reception->queue().error()) return std::unexpected(*error);
    auto received = read.reception->wait();
    if (received) {
      read.is_fresh = received->granted.offset >= read.node.info.repl_offset;
      read.is_behind = false;
      read.stats = *std::move(received);
      return true;
    }
    if (read.reception->was_too_old()) {
      read.reception.reset();  // again
      return true;
    }
    const bool other_node = read.node.is_replica && !read.reception->begun() &&
                            options_.from == ReadFrom::prefer_replica &&
                            received.error().code != net::Errc::cancelled;
    read.reception.reset();
    if (!other_node)
      return std::unexpected(from_net(received.error(), Role::source, read.link.display));
    meter_.notice(fmt::format("slots {}: the primary is read, since the replica {} failed: {}",
                              net::to_text(read.shard.slots), net::to_text(read.node.address),
                              received.error().code.message()));
    read.node.address = read.shard.primary.address;
    read.node.is_replica = false;
    read.link = link_.at(read.node.address);
    return true;
  }

  void tell_pressure() {
    const bool behind =
        std::ranges::any_of(reads_, [](const ShardRead& read) { return read.is_behind; });
    if (behind != behind_) consumer_.pressure(behind);
    behind_ = behind;
  }

  /// Slots that moved meanwhile, or began to, may have taken keys from a shard before its snapshot
  /// to one after its own.
  Result<void> check_after(const ClusterView& before) {
    auto after = view_cluster(io_, link_, Role::source, job_);
    if (!after) return std::unexpected(after.error());
    for (const net::SlotMove& move : net::moves_between(before.topology, after->topology)) {
      if (!is_safe(move.from, move.to)) return std::unexpected(moved(move.slots));
    }
    if (auto safe = check_migrations(before); !safe) return safe;
    return check_migrations(*after);
  }

  [[nodiscard]] Result<void> check_migrations(const ClusterView& view) const {
    for (std::size_t i = 0; i < view.migrations.size(); ++i) {
      const auto here = shard_of(view.topology.shards()[i].primary.id);
      for (const net::Migration& migration : view.migrations[i]) {
        const auto peer = shard_of(migration.peer);
        const auto from = migration.leaves ? here : peer;
        if (!is_safe(from, migration.leaves ? peer : here))
          return std::unexpected(moved({.first = migration.slot, .last = migration.slot}));
      }
    }
    return {};
  }

  [[nodiscard]] bool is_safe(std::optional<std::size_t> from, std::optional<std::size_t> to) const {
    if (!from || !to) return false;
    const ShardRead& giver = reads_[*from];
    const ShardRead& taker = reads_[*to];
    return !giver.node.is_replica && !taker.node.is_replica && taker.is_fresh &&
           giver.reception->begun_at() <= taker.asked_at;
  }

  [[nodiscard]] Error moved(const net::SlotRange& slots) const {
    return {
        .stage = Stage::net,
        .code = "slots_moved",
        .message = fmt::format(
            "cluster {}: slots {} moved while the snapshots were taken, and keys in them may be "
            "in none: nothing was stored; run this again, best when the resharding is over",
            link_.display, net::to_text(std::span(&slots, 1)))};
  }

  [[nodiscard]] ClusterOrigin origin() const {
    ClusterOrigin origin;
    const net::ServerInfo& first = reads_.front().node.info;
    origin.source = {.uri = link_.display,
                     .server = server_name(first),
                     .version = first.version,
                     .rdb_version = 0,
                     .replid = {},
                     .offset = 0};
    for (const ShardRead& read : reads_) origin.shards.push_back(shard_of_backup(read));
    return origin;
  }

  static BackupShard shard_of_backup(const ShardRead& read) {
    BackupShard shard;
    shard.source = {.uri = read.link.display,
                    .server = server_name(read.node.info),
                    .version = read.node.info.version,
                    .rdb_version = 0,
                    .replid = read.stats->granted.replid,
                    .offset = read.stats->granted.offset};
    shard.node_id = read.shard.primary.id;
    shard.from_replica = read.node.is_replica;
    for (const net::SlotRange& range : read.shard.slots)
      shard.slots.push_back({.first = range.first, .last = range.last});
    return shard;
  }

  /// Ends what is under way, before the I/O thread waits for it.
  void abort() {
    stop_.request_stop();
    for (ShardRead& read : reads_) {
      if (read.reception) read.reception->queue().abort();
    }
    for (ShardRead& read : reads_) {
      if (is_running(read)) static_cast<void>(read.reception->wait());
    }
  }

  const BackupOptions& options_;
  const ServerLink link_;
  const ClusterConsumer& consumer_;
  ProgressMeter& meter_;
  const JobContext& job_;
  std::vector<ShardRead> reads_;
  bool receiving_ = false;
  bool behind_ = false;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_job_stop_{job_.stop,
                                                         [this] { stop_.request_stop(); }};
  IoThread io_;
};

}  // namespace

Result<ClusterOrigin> read_cluster(const BackupOptions& options, const ClusterConsumer& consumer,
                                   ProgressMeter& meter, const JobContext& job) {
  ServerAddress address = options.server;
  address.uri = options.source;
  auto link = make_link(address);
  if (!link) return std::unexpected(link.error());
  return ClusterReading(options, *std::move(link), consumer, meter, job).run();
}

}  // namespace sluice::engine
