#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "sluice/filter.h"
#include "sluice/job.h"
#include "sluice/place.h"
#include "sluice/result.h"

namespace sluice {

struct DiffOptions {
  Place a;
  Place b;
  KeyChoice keys = {};  ///< Which are compared and counted. A type chooses a key that has it in
                        ///< either place.
};

/// A key that is not the same in both places.
struct KeyDifference {
  enum class Change : std::uint8_t { only_a, only_b, different };

  std::uint64_t db = 0;
  std::string key;        ///< Its bytes.
  std::string shown_key;  ///< Escaped, whole.
  Change change = Change::different;
  std::string type_a;  ///< As in JSON lines; empty where the key is not. So with `_b`.
  std::string type_b;
  std::optional<std::int64_t> expire_at_ms_a;
  std::optional<std::int64_t> expire_at_ms_b;
  // Of Change::different: what differs. Another type is another value too.
  bool value = false;
  bool ttl = false;
  bool type = false;
};

struct DiffResult {
  std::string a;  ///< Id of the backup, else the place without secrets.
  std::string b;
  std::uint64_t same = 0;  ///< Keys.
  std::uint64_t only_a = 0;
  std::uint64_t only_b = 0;
  std::uint64_t different = 0;
  /// Runs of keys of A that were not even read: B has them too, or they hold no chosen key.
  std::uint64_t runs_skipped = 0;
  double seconds = 0;

  [[nodiscard]] bool equal() const noexcept { return only_a + only_b + different == 0; }
};

/// Takes the differences in the order of databases and keys; false ends the job, "stopped".
using OnDifference = std::function<bool(const KeyDifference&)>;

/// Compares the keys of two places by what clients see: encodings, access times and the metadata
/// that modules hang on keys do not count (docs/digest.md); nor does what is not in keys.
///
/// Two backups in canonical layout of one repository are compared without reading what they share.
/// A server, a file and a backup in stream layout are first taken into a scratch repository in
/// $TMPDIR, gone at the end, which needs about as much room as the data compressed.
///
/// Errors:  what keeps a place from being read; "scratch_failed".
/// Memory:  256 MiB while a place is taken, about 40 MiB besides.
/// Threads: blocks the calling thread, which also calls `on_difference`.
[[nodiscard]] Result<DiffResult> diff(const DiffOptions& options, const OnDifference& on_difference,
                                      const JobContext& job);

[[nodiscard]] std::string to_json(const KeyDifference& difference);
[[nodiscard]] std::string to_json(const DiffResult& result);

}  // namespace sluice
