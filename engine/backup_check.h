#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/check_findings.h"
#include "engine/check_record.h"
#include "engine/chunk_check.h"
#include "engine/chunk_pass.h"
#include "engine/chunk_sums.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/stream_check.h"
#include "sluice/result.h"
#include "sluice/verify.h"

namespace sluice::engine {

/// Packs that were read and are sound, of all backups that a job has checked.
class SoundPacks {
 public:
  [[nodiscard]] bool contains(const storage::PackRef& pack) const {
    return seen_.contains(key_of(pack));
  }
  void insert(const storage::PackRef& pack) { seen_.insert(key_of(pack)); }

 private:
  using Key = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t, storage::format::Digest>;
  static Key key_of(const storage::PackRef& pack) {
    return {pack.id.backup.time_ms, pack.id.backup.random, pack.id.sequence, pack.digest};
  }
  std::set<Key> seen_;
};

/// Checks one backup: the stored bytes and, beside them, what they mean.
///
/// Threads: run() blocks; it starts `threads` of its own.
class BackupCheck {
 public:
  struct Setting {
    const storage::Repository* repository = nullptr;
    const OpenBackup* backup = nullptr;
    VerifyLevel level = VerifyLevel::digest;
    unsigned threads = 1;
    SoundPacks* sound_packs = nullptr;         ///< Not read again; grows.
    std::optional<CheckProgress> resume = {};  ///< Goes on from there.
  };

  BackupCheck(Setting setting, const JobContext& job);

  /// What is wrong is a finding, not an error.
  /// Errors: "cancelled"; what keeps it from reading at all.
  [[nodiscard]] Result<void> run(ProgressMeter& meter);

  [[nodiscard]] std::vector<CheckFinding> take_findings() { return findings_.take(); }
  [[nodiscard]] std::uint64_t findings_dropped() const { return findings_.dropped(); }
  /// Null when the chunks are in no order that it knows, or the layout is stream.
  [[nodiscard]] const CanonicalMap* map() const noexcept { return map_ ? &*map_ : nullptr; }
  /// Fills in what was read.
  void describe(VerifyResult& result) const;
  /// How far it came when it was stopped; nullopt when that is not worth keeping.
  [[nodiscard]] std::optional<CheckProgress> progress() const;

 private:
  [[nodiscard]] bool is_stream() const noexcept;
  void know_chunks();
  void plan_passes();
  void check_stored();
  void tell_stored(const storage::Problem& problem);
  void work(bool is_first);
  void fail(const Error& error);
  void compare_totals();
  void compare_preamble();
  void tell(std::string what);

  Setting setting_;
  const JobContext& job_;
  std::atomic<std::uint64_t> raw_bytes_ = 0;
  std::atomic<std::uint64_t> pack_bytes_ = 0;
  std::atomic<std::uint64_t> keys_ = 0;
  CheckFindings findings_;
  CheckContext context_;
  std::optional<CanonicalMap> map_;
  std::unique_ptr<ChunkPass> pass_;
  std::unique_ptr<StreamCheck> stream_;
  std::set<std::uint32_t> packs_done_;  // positions, sound ones; of the thread that reads them
  std::uint64_t stored_bytes_ = 0;
  std::optional<std::string> digest_;
  std::mutex mutex_;  // guards error_
  std::optional<Error> error_;
};

}  // namespace sluice::engine
