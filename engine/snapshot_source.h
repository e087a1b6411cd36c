#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "engine/progress_meter.h"
#include "engine/server_link.h"
#include "sluice/backup.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Where the RDB of a backup comes from: a live server, or a file.
///
/// `consume` is called on the job's thread with the bytes in order; an error from it ends the
/// transfer and is returned. `idle` is called there while nothing comes. `begin` is called before
/// either and may refuse. `begin` and `pressure` may be empty.
struct SnapshotConsumer {
  std::function<Result<void>(std::span<const std::byte>)> consume;
  std::function<void()> idle;
  std::function<Result<void>(bool from_cluster_node)> begin = {};
  /// Told when the source sends faster than `consume` takes, and when that is over.
  std::function<void(bool is_behind)> pressure = {};
};

/// What is known of the source beside its bytes. rdb_version, and the fields that only the RDB
/// itself tells, are filled in later.
using SnapshotOrigin = BackupSource;

/// Receives one snapshot from `options.source`, file or server, to its end.
[[nodiscard]] Result<SnapshotOrigin> read_snapshot(const BackupOptions& options,
                                                   const SnapshotConsumer& consumer,
                                                   ProgressMeter& meter, const JobContext& job);

/// The same from a server that is known, which `link` leads to.
[[nodiscard]] Result<SnapshotOrigin> read_snapshot(const ServerLink& link, ReadFrom from,
                                                   const SnapshotConsumer& consumer,
                                                   ProgressMeter& meter, const JobContext& job);

/// The name under which backups of this source are kept when none is given: "host-port", or the
/// file's name, with what cannot stand in a name replaced.
[[nodiscard]] Result<std::string> default_instance(const BackupOptions& options);

}  // namespace sluice::engine
