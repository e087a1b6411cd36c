#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/digest_reader.h"
#include "engine/digest_windows.h"
#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/server_link.h"
#include "engine/written_digest.h"
#include "sluice/job.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice::engine {

/// What became of proving a restore.
struct RestoreProof {
  std::optional<bool> verified;       ///< Null when it could not be proven; the note says why.
  std::optional<std::string> digest;  ///< Of what the target holds.
  std::string note;                   ///< One line; may be empty.
  std::optional<Error> stopped;       ///< The job was cancelled.
};

/// A target as it was read back.
struct FoundDataset {
  explicit FoundDataset(std::int64_t start_ms) : windows(start_ms), digest(&windows) {}

  DigestWindows windows;
  DigestReader digest;
  std::int64_t snapshot_ms = 0;  ///< By the target's clock: by then its snapshot had begun.
};

/// What follows from it.
[[nodiscard]] RestoreProof judge(const WrittenDigest& written, const FoundDataset& found);
/// For FoundDataset::snapshot_ms.
[[nodiscard]] std::int64_t snapshot_time_ms(const StreamFacts& facts);
/// It could not be read back.
[[nodiscard]] RestoreProof unproven(const Error& error);
[[nodiscard]] RestoreProof unproven(std::string_view why);

/// Reads back what a target holds, as its replica, and compares it with what was written to it. The
/// target was empty before, and every command has its answer. What expires before the target's
/// snapshot, or soon after it, is left out on both sides.
[[nodiscard]] RestoreProof prove_restore(const ServerAddress& target, const ServerLink& link,
                                         const WrittenDigest& written, std::int64_t start_ms,
                                         IoThread& io, ProgressMeter& meter, const JobContext& job);

}  // namespace sluice::engine
