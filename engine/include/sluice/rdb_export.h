#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sluice/filter.h"
#include "sluice/job.h"
#include "sluice/loss.h"
#include "sluice/place.h"
#include "sluice/result.h"

namespace sluice {

struct RdbExportOptions {
  Place place;
  /// 6 to 14, or 80 for Valkey. None: that of the place; the nearest where that one cannot be
  /// written.
  std::optional<unsigned> rdb_version;
  std::string output = "-";  ///< Path, or "-" for standard output.
  KeyChoice keys = {};       ///< Which are written.
  bool functions = false;    ///< Function libraries and module data too, though keys are chosen.
};

struct RdbExportResult {
  static constexpr std::size_t losses_max = 1000;

  std::string place;  ///< Without secrets.
  std::string output;
  std::string dialect;  ///< "redis" or "valkey".
  unsigned rdb_version = 0;
  std::uint64_t keys = 0;                      ///< Chosen.
  std::uint64_t written = 0;                   ///< Of these.
  std::uint64_t transcoded = 0;                ///< Of those written: anew, in another encoding.
  std::map<std::string, std::uint64_t> types;  ///< Keys chosen by logical type.
  std::uint64_t filtered = 0;                  ///< Keys read that are not chosen.
  std::uint64_t unread = 0;                    ///< Keys in runs that hold no chosen one.
  std::uint64_t runs_skipped = 0;              ///< These runs.
  std::uint64_t functions = 0;                 ///< Function libraries written.
  std::uint64_t lru_lfu_dropped = 0;           ///< Idle times and frequencies without a place.
  std::uint64_t scripts_dropped = 0;           ///< Cached scripts without a place.
  std::vector<RdbLoss> losses;                 ///< At most `losses_max`.
  std::uint64_t loss_count = 0;
  std::uint64_t raw_bytes = 0;  ///< RDB bytes read.
  std::uint64_t bytes = 0;      ///< Written.
  double seconds = 0;
};

/// Writes the dataset of a place as an RDB file that a server of another version loads: values byte
/// for byte where that version has their encoding, in an older encoding where not.
///
/// Errors:     what keeps the place from being read; "bad_option" for a version that cannot be
///             written; "write_failed" for the output, "scratch_failed" for $TMPDIR. After an error
///             nothing is left at `output`; standard output and what is no regular file keep what
///             was written so far. What cannot be said in that version is not an error: see losses.
/// Durability: on success a file is on stable storage, and only then has its name.
/// Memory:     about 30 MiB, the longest key twice, and while a set, sorted set or hash is written
/// in
///             another encoding up to 16 bytes for each of its elements; a value above 16 MiB is in
///             $TMPDIR meanwhile.
/// Threads:    blocks the calling thread.
[[nodiscard]] Result<RdbExportResult> export_rdb(const RdbExportOptions& options,
                                                 const JobContext& job);

[[nodiscard]] std::string to_json(const RdbExportResult& result);

}  // namespace sluice
