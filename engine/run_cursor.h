#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/record.h"
#include "engine/repository_access.h"
#include "engine/run_reader.h"
#include "sluice/result.h"
#include "storage/chunk_reader.h"
#include "storage/repository.h"

namespace sluice::engine {

/// Walks through records of a backup in canonical layout, in their order. A run can be passed over
/// without being read: the cursor stands before each until it is told to read it.
///
///     while (!cursor.done()) {
///       if (cursor.before_run()) { cursor.read(); continue; }   // or pass()
///       use(cursor.db(), cursor.record());
///       cursor.advance();
///     }
///
/// Memory:   a ChunkReader's. Threads: one at a time.
/// Errors:   a run that cannot be read, or is not what the map says. Sticky: do not go on.
/// Lifetime: what it is made of must outlive it.
class RunCursor {
 public:
  /// `runs` of the map. Those in `passed`, by their position in `runs`, will most likely be passed
  /// over, and are not read ahead; it may be empty.
  RunCursor(const storage::Repository& repository, const OpenBackup& backup,
            const CanonicalMap& map, ChunkRange runs, std::vector<bool> passed);

  [[nodiscard]] bool done() const noexcept { return at_ == runs_.end; }
  /// Precondition of all below: not done().
  [[nodiscard]] bool before_run() const noexcept { return !run_; }
  [[nodiscard]] std::uint32_t ordinal() const noexcept { return at_; }
  [[nodiscard]] std::uint64_t db() const noexcept { return map_.run(at_).db; }

  /// Preconditions: before_run().
  [[nodiscard]] Result<void> read();
  void pass();

  /// Preconditions: not before_run(). Valid until the next call of advance() or read().
  [[nodiscard]] const Record& record() const noexcept { return record_; }
  void advance();

  /// Raw bytes of the runs that are behind.
  [[nodiscard]] std::uint64_t bytes_done() const noexcept { return bytes_done_; }

 private:
  [[nodiscard]] bool is_passed(std::uint32_t ordinal) const;
  [[nodiscard]] Result<void> read_ahead();

  const storage::Repository& repository_;
  const OpenBackup& backup_;
  const CanonicalMap& map_;
  ChunkRange runs_;
  std::vector<bool> passed_;
  std::uint32_t at_;
  ChunkRange ahead_;  // what the reader gives next
  std::unique_ptr<storage::ChunkReader> reader_;
  std::optional<RunReader> run_;
  Record record_;
  std::uint64_t bytes_done_ = 0;
};

}  // namespace sluice::engine
