#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/backup.h"
#include "sluice/filter.h"
#include "sluice/job.h"
#include "sluice/provision.h"
#include "sluice/restore.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice {

struct CloneOptions {
  ServerAddress source;
  ServerAddress target;
  OnConflict on_conflict = OnConflict::refuse;
  bool flush = false;  ///< Empty the target first. The caller has asked whoever must be asked.
  RestoreMode mode = RestoreMode::automatic;  ///< Not feed.
  Proof verify = Proof::automatic;            ///< Of the snapshot; not while following.
  unsigned connections = 2;
  std::uint64_t bytes_per_second = 0;  ///< Of the snapshot's commands; 0: as fast as it goes.
  /// As for restore(), of the source too, while the snapshot is copied.
  double latency_ms_max = 0;
  std::uint64_t inflight_bytes_max = 32ULL << 20;
  Filter filter = {};    ///< Which keys, and as what; everything when following.
  bool dry_run = false;  ///< As for restore(). The source sends its snapshot all the same.

  bool follow = false;  ///< Go on with what changes at the source, until told to end.
  /// Set by the caller, at any time: pause the source's writes, apply what is left, and end.
  const std::atomic<bool>* cut_over = nullptr;
  double pause_s_max = 10;  ///< Writes of the source are paused at most so long.
  double reconnect_s = 60;  ///< A source that was lost is tried again so long.
};

/// What became of following.
struct FollowResult {
  std::uint64_t offset = 0;     ///< All of the source up to here is in the target.
  std::uint64_t commands = 0;   ///< Sent to the target.
  std::uint64_t lag_bytes = 0;  ///< What the source had more, when last asked.
  std::uint64_t reconnects = 0;
  std::vector<std::string> errors;  ///< What the target refused; the first hundred.
  std::uint64_t error_count = 0;
  bool cut_over =
      false;            ///< Nothing was written to the source between the last command and the end.
  double paused_s = 0;  ///< From the pause to the last command.
};

struct CloneResult {
  RestoreResult copy;  ///< Of the snapshot. `backup` and `instance` are empty: it is no backup.
  BackupSource source;
  std::optional<FollowResult> followed;
  std::optional<ProvisionedServer> provisioned;  ///< For the caller to fill in.
};

/// Copies a live server into another, without an archive between, and keeps it up to date if asked
/// to. The source never waits: what the target does not take at once goes to scratch.
///
/// When following, a stop that is asked for once the snapshot is copied is how it ends: what was
/// received is applied first.
/// Errors: as restore(): once keys were sent a failure is in the result (`copy.interrupted`).
/// Memory: about 100 MiB plus inflight_bytes_max. Scratch: what the target is behind.
/// Threads: blocks the calling thread; two more talk to the servers.
[[nodiscard]] Result<CloneResult> clone(const CloneOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const CloneResult& result);

}  // namespace sluice
