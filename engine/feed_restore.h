#pragma once

#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/server_link.h"
#include "sluice/job.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// restore() in mode feed: has the target load the backup from us, as our replica.
///
/// In order: looks whether the target can be fed without harm, reads the backup to its end,
/// listens, notes in the repository what is to be undone, changes settings of the target, empties
/// it where that was asked for, tells it REPLICAOF, sends, waits until all is acknowledged, reads
/// it back while it is still a replica that nobody else can write to, notes that it is whole, tells
/// it REPLICAOF NO ONE, sets its settings as they were, and takes the note away.
///
/// A note of an earlier feed of the same target is dealt with first.
/// Memory:  a FeedImage's, and 32 MiB.
/// Threads: blocks the calling thread; one more talks to the target.
[[nodiscard]] Result<RestoreResult> feed_restore(const storage::Repository& repository,
                                                 const OpenBackup& backup,
                                                 const RestoreOptions& options,
                                                 const ServerLink& link, ProgressMeter& meter,
                                                 const JobContext& job);

}  // namespace sluice::engine
