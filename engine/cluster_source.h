#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/progress_meter.h"
#include "engine/snapshot_source.h"
#include "net/topology.h"
#include "sluice/backup.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Takes the snapshots of a cluster's shards. All calls come on the job's thread.
struct ClusterConsumer {
  /// Once, before the others: one stream for each shard.
  std::function<Result<void>(const net::Topology& topology)> begin;
  std::function<Result<void>(std::size_t shard, std::span<const std::byte>)> consume;
  std::function<void()> idle;
  std::function<void(bool is_behind)> pressure;
};

struct ClusterOrigin {
  SnapshotOrigin source;            ///< Of the whole.
  std::vector<BackupShard> shards;  ///< `keys` is for the consumer to fill in.
};

/// Receives a snapshot of every shard of the cluster that `options` names, at most eight at a time.
///
/// No key is lost that moves from one shard to another meanwhile: where slots are being moved, the
/// primaries are read, and the one that takes them after the one that gives them; when other slots
/// turn out to have moved in between, and not in that order, the whole is refused.
/// Memory: 16 MiB of blocks on their way, or two for each stream.
/// Errors: as view_cluster(); "slots_moved"; Stage::net naming the node.
[[nodiscard]] Result<ClusterOrigin> read_cluster(const BackupOptions& options,
                                                 const ClusterConsumer& consumer,
                                                 ProgressMeter& meter, const JobContext& job);

}  // namespace sluice::engine
