#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/filter.h"
#include "sluice/job.h"
#include "sluice/loss.h"
#include "sluice/repository.h"
#include "sluice/result.h"
#include "sluice/server.h"

namespace sluice {

enum class OnConflict : std::uint8_t {
  refuse,   ///< A target that holds any key is refused.
  replace,  ///< A key that exists is replaced.
  skip,     ///< A key that exists is left alone and counted as skipped.
};

/// Whether a restore is proven by digest once it is done (docs/digest.md).
enum class Proof : std::uint8_t {
  automatic,  ///< When the target is empty, or was emptied.
  always,     ///< A target that is not empty is not proven either, but that is said.
  never,
};

/// How keys get into the target.
enum class RestoreMode : std::uint8_t {
  automatic,  ///< By RESTORE, and by commands what RESTORE cannot bring.
  feed,       ///< The target loads the backup by itself, as our replica.
  restore,    ///< By RESTORE only.
  commands,   ///< By the commands that make a key: SET, RPUSH, HSET … Modules' values by RESTORE.
};
[[nodiscard]] std::string_view to_string(RestoreMode mode) noexcept;

struct RestoreOptions {
  RepositoryPlace repository;
  std::string backup;  ///< As for show().
  ServerAddress target;
  OnConflict on_conflict = OnConflict::refuse;
  bool flush = false;  ///< Empty the target first. The caller has asked whoever must be asked.
  Proof verify = Proof::automatic;
  RestoreMode mode = RestoreMode::automatic;
  unsigned connections = 2;            ///< 1 to 64.
  std::uint64_t bytes_per_second = 0;  ///< Of commands; 0: as fast as it goes.
  /// Less is sent while PINGs of the target take longer, in ms; 0: however long. Not in mode feed.
  double latency_ms_max = 0;
  Filter filter = {};  ///< Which keys, and as what.
  /// Go on with the restore into this target that was interrupted, by the note that it left in the
  /// repository; the other options that decide what is written have to be the same.
  bool resume = false;
  bool dry_run = false;  ///< Only find out what would happen: see RestorePlan. Writes nothing.
  /// Mode feed: "HOST[:PORT]" that the target is told to load from. Empty: the address of this
  /// machine that it is reached from, and any port that is free.
  std::string listen;
  std::uint64_t inflight_bytes_max = 32ULL << 20;
  IoBackend io = IoBackend::automatic;
};

/// A key, or a function library, that did not get there.
struct RestoreFailure {
  std::uint64_t db = 0;
  std::string key;      ///< Escaped; "function library …" for those.
  std::string message;  ///< What the target said, or why it was not sent.
};

/// Where keys of one type, or of all, went: read = written + filtered + skipped + expired + failed.
struct Ledger {
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  std::uint64_t filtered = 0;  ///< Not chosen.
  std::uint64_t skipped = 0;   ///< Existed in the target, and the policy is skip.
  std::uint64_t expired = 0;   ///< Their time had come before they were sent.
  std::uint64_t failed = 0;

  [[nodiscard]] bool balanced() const noexcept {
    return read == written + filtered + skipped + expired + failed;
  }
  Ledger& operator+=(const Ledger& more) noexcept {
    read += more.read;
    written += more.written;
    filtered += more.filtered;
    skipped += more.skipped;
    expired += more.expired;
    failed += more.failed;
    return *this;
  }
  friend bool operator==(const Ledger&, const Ledger&) = default;
};

/// Keys that a dry run found would be written.
struct PlannedWrites {
  std::uint64_t added = 0;
  std::uint64_t replaced = 0;      ///< Of keys that the target has.
  std::uint64_t memory_bytes = 0;  ///< That they are thought to take there: docs/cli.md, Analyze.

  PlannedWrites& operator+=(const PlannedWrites& more) {
    added += more.added;
    replaced += more.replaced;
    memory_bytes += more.memory_bytes;
    return *this;
  }
  friend bool operator==(const PlannedWrites&, const PlannedWrites&) = default;
};

/// What a dry run found out. The ledger says where keys would go.
struct RestorePlan {
  PlannedWrites total;
  std::map<std::string, PlannedWrites> by_type;
  std::uint64_t table_memory_bytes = 0;      ///< Of the keyspace, for the keys added.
  std::string memory_model;                  ///< As in AnalyzeResult, of the target's version.
  std::optional<std::uint64_t> used_memory;  ///< Of the target now, or once it is empty.
  std::optional<std::uint64_t> maxmemory;    ///< Zero: no limit.
  /// Whether the keys fit below maxmemory beside what is there. What replaced keys take now is not
  /// taken off. Null when the target does not say.
  std::optional<bool> fits;
};

struct RestoreResult {
  std::string backup;
  std::string instance;
  std::string target;  ///< URI without secrets.
  RestoreMode mode = RestoreMode::automatic;
  Ledger total;
  std::map<std::string, Ledger> by_type;
  std::uint64_t functions = 0;  ///< Function libraries loaded.
  std::uint64_t functions_failed = 0;
  std::uint64_t unread = 0;              ///< Keys that were not even read: not in the ledger.
  std::uint64_t runs_skipped = 0;        ///< These, in runs of keys that the filter cannot mean.
  std::uint64_t chunks_read = 0;         ///< Of the backup.
  std::uint64_t resumed_keys = 0;        ///< Of the ledger: of the restore that was gone on with.
  std::optional<RestorePlan> plan;       ///< Of a dry run.
  std::uint64_t raw_bytes = 0;           ///< RDB bytes read.
  std::vector<RestoreFailure> failures;  ///< The first thousand.
  std::uint64_t failure_count = 0;
  std::vector<RdbLoss> losses;  ///< What the target cannot hold; the first thousand.
  std::uint64_t loss_count = 0;
  std::vector<std::string> notes;  ///< What is not carried over, one line each.
  /// Whether the target holds what was written; null when that was not proven, and the notes say
  /// why if it was to be.
  std::optional<bool> verified;
  std::optional<std::string> digest;  ///< Of all that the target holds, when it was read back.
  double throttled_s = 0;             ///< For so long was nothing sent because of latency_ms_max.
  /// The longest that PINGs took meanwhile, the median of five; null when that was not watched.
  std::optional<double> latency_ms_max;
  double seconds = 0;
  /// Set when the restore ended early: the counts then tell how far it got.
  std::optional<Error> interrupted;
};

/// Puts a backup into a live server, and proves it: reads back, as a replica, what the target then
/// holds. By pipelined RESTORE commands; or, in mode feed, as the primary of a target that is told
/// REPLICAOF: it loads by itself what we send.
///
/// Mode feed: everything that the target holds is replaced, so that it must be empty or `flush` be
///         set; what would have it end itself is refused beforehand ("target_unsuitable"). Whatever
///         happens, it is detached and its settings are as they were when this returns; should that
///         not be possible, `interrupted` says what will (doctor with repair, or the same again).
///         After a failure it is empty: nothing half-done is left that looks done.
/// The other modes leave a note in the repository while they go on: how far they are, every 64 MiB,
/// so that what is interrupted can be gone on with (`resume`), and that doctor knows of it. Of the
/// keys that were sent since, it is not known whether they are there: where the policy is refuse
/// they replace what is; where it is skip they are skipped.
///
/// Errors: when nothing was written: no such backup, a target that cannot be reached, lacks a
///         permission or holds keys ("target_not_empty"). Once keys were sent a failure is in the
///         result (`interrupted`), so that the counts are not lost.
/// Memory: about 80 MiB plus inflight_bytes_max.
/// Threads: blocks the calling thread; one more talks to the target.
[[nodiscard]] Result<RestoreResult> restore(const RestoreOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const RestoreResult& result);

}  // namespace sluice
