#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/record.h"
#include "engine/run_format.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Reads the records of a run (docs/record-format.md). Everything is checked when it is opened:
/// what comes after cannot fail.
///
/// Memory:  the longest key. The run is borrowed.
/// Threads: none; one at a time.
class RunReader {
 public:
  /// `raw` must outlive the reader. `where` opens the message.
  /// Errors: Stage::storage, "corrupt": lengths that do not fit, keys that do not ascend, any form
  ///         that RunWriter would not have written.
  [[nodiscard]] static Result<RunReader> open(std::span<const std::byte> raw,
                                              std::string_view where);

  [[nodiscard]] std::uint32_t records() const noexcept { return header_.records; }
  [[nodiscard]] std::span<const std::byte> raw() const noexcept { return raw_; }

  /// The next record; false at the end. Its key lives until the next call on this reader, all else
  /// as long as the run.
  [[nodiscard]] bool next(Record& record);
  /// Starts again before the first.
  void rewind() noexcept;
  /// The first record whose key is not less than `key`, wherever the reader stands; false when
  /// there is none. next() goes on after it.
  [[nodiscard]] bool seek(std::span<const std::byte> key, Record& record);
  /// The record with this key; false when there is none. next() goes on after it, or after the
  /// first that is greater.
  [[nodiscard]] bool find(std::span<const std::byte> key, Record& record);

  /// Where what lies; replaces what is in `pieces`. Leaves the reader where it stands.
  void pieces(RunPieces& pieces) const;

 private:
  RunReader(const RunHeader& header, std::span<const std::byte> raw, std::size_t key_bytes_max);

  void take_attributes(unsigned attributes, Record& record) noexcept;

  RunHeader header_;
  std::span<const std::byte> raw_;
  std::array<const std::byte*, run_column_count> begins_{};
  std::array<const std::byte*, run_column_count> at_{};  // of the next record
  std::uint32_t left_ = 0;                               // records
  std::vector<std::byte> key_;                           // as long as the longest
};

}  // namespace sluice::engine
