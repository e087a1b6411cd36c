#pragma once

#include <cstdint>

#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/restore_proof.h"
#include "engine/server_link.h"
#include "engine/written_digest.h"
#include "sluice/job.h"

namespace sluice::engine {

/// prove_restore() for a cluster: reads back every primary and adds the digests up, of the slots
/// that each of them serves. Slots that move meanwhile leave it unproven.
[[nodiscard]] RestoreProof prove_cluster_restore(const ServerLink& link,
                                                 const WrittenDigest& written,
                                                 std::int64_t start_ms, IoThread& io,
                                                 ProgressMeter& meter, const JobContext& job);

}  // namespace sluice::engine
