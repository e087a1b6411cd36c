#include "engine/cluster_proof.h"

#include <algorithm>
#include <utility>

#include "engine/cluster_view.h"
#include "engine/errors.h"
#include "engine/snapshot_source.h"
#include "engine/stream_facts.h"
#include "net/key_slot.h"
#include "rdb/parser.h"

namespace sluice::engine {
namespace {

/// Adds what is in a shard's own slots to a FoundDataset. What else it holds is on its way to or
/// from another.
class OwnSlots final : public StreamFacts {
 public:
  OwnSlots(FoundDataset& found, const net::Topology& topology, std::size_t shard)
      : found_(found), topology_(topology), shard_(shard) {}

  bool on_record_begin(const rdb::RecordHeader& record) override {
    is_own_ = topology_.owner(net::key_slot(record.key)) == shard_;
    if (is_own_) found_.digest.begin(record, *header());
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    if (is_own_) found_.digest.add(part);
    return true;
  }
  bool on_record_end(std::uint64_t /*offset*/) override {
    if (is_own_) found_.digest.end();
    return true;
  }

 private:
  FoundDataset& found_;
  const net::Topology& topology_;
  std::size_t shard_;
  bool is_own_ = false;
};

bool is_at_rest(const ClusterView& view) {
  return std::ranges::all_of(view.migrations, [](const auto& slots) { return slots.empty(); });
}

/// Reads one shard, whose snapshot must not be older than what was written.
Result<void> read_shard(const ClusterView& view, std::size_t index, const ServerLink& link,
                        FoundDataset& found, IoThread& io, ProgressMeter& meter,
                        const JobContext& job) {
  const ServerLink at = link.at(view.topology.shards()[index].primary.address);
  const auto info = io.run(ask_server_info(io.executor(), at), job.stop);
  if (!info) return std::unexpected(from_net(info.error(), Role::target, at.display));
  OwnSlots own(found, view.topology, index);
  rdb::Parser parser(own);
  const SnapshotConsumer consumer{
      .consume = [&](std::span<const std::byte> bytes) -> Result<void> {
        const auto taken = parser.feed(bytes);
        if (!taken)
          return std::unexpected(from_rdb(taken.error(), "the snapshot of " + at.display));
        meter.update(parser.offset(), found.digest.keys());
        return {};
      },
      .idle = [] {}};
  const auto origin = read_snapshot(at, ReadFrom::primary, consumer, meter, job);
  if (!origin) return std::unexpected(origin.error());
  if (auto ended = parser.finish(); !ended)
    return std::unexpected(from_rdb(ended.error(), "the snapshot of " + at.display));
  found.snapshot_ms = std::max(found.snapshot_ms, snapshot_time_ms(own));
  if (origin->offset >= info->repl_offset) return {};
  return std::unexpected(Error{.stage = Stage::net,
                               .code = "old_snapshot",
                               .message = at.display + " gave a snapshot that is older than the "
                                                       "restore"});
}

/// Null when it may be tried again.
std::optional<RestoreProof> try_proof(const ServerLink& link, const WrittenDigest& written,
                                      std::int64_t start_ms, IoThread& io, ProgressMeter& meter,
                                      const JobContext& job, std::string& why) {
  const auto before = view_cluster(io, link, Role::target, job);
  if (!before) return unproven(before.error());
  FoundDataset found(start_ms);
  for (std::size_t i = 0; i < before->topology.shards().size(); ++i) {
    auto read = read_shard(*before, i, link, found, io, meter, job);
    if (read) continue;
    if (read.error().code == "cancelled") return unproven(read.error());
    why = read.error().message;
    return std::nullopt;
  }
  const auto after = view_cluster(io, link, Role::target, job);
  if (!after) return unproven(after.error());
  why = "slots were moving in the target; see sluice digest --cluster";
  const bool moved = !net::moves_between(before->topology, after->topology).empty();
  if (moved || !is_at_rest(*before) || !is_at_rest(*after)) return std::nullopt;
  return judge(written, found);
}

}  // namespace

RestoreProof prove_cluster_restore(const ServerLink& link, const WrittenDigest& written,
                                   std::int64_t start_ms, IoThread& io, ProgressMeter& meter,
                                   const JobContext& job) {
  if (!written.gap().empty()) return unproven(written.gap());
  constexpr int attempts_max = 3;
  std::string why;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    if (auto proof = try_proof(link, written, start_ms, io, meter, job, why))
      return *std::move(proof);
  }
  return unproven(why);
}

}  // namespace sluice::engine
