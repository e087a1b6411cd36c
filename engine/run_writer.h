#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/record.h"
#include "engine/run_format.h"

namespace sluice::engine {

/// Makes the raw bytes of a chunk of records (docs/record-format.md):
///
///     writer.clear();
///     while (…) writer.add(record);
///     writer.finish();      // the run; writer.pieces() says where what lies in it
///
/// Memory:  the run, once more but for its values, and 28 bytes a record; kept from one run to the
/// next, so that nothing is
///          allocated for a record once the buffers have grown.
/// Threads: none; one at a time.
class RunWriter {
 public:
  /// What all records of a run may come to. A chunk holds less.
  static constexpr std::uint64_t bytes_max = UINT32_MAX;

  RunWriter();

  /// Begins a run. What finish() and pieces() gave is gone.
  void clear() noexcept;
  /// The next record; its spans are used during the call only. False, and nothing is added, when
  /// its key does not come after the one before it, or the run would pass bytes_max.
  [[nodiscard]] bool add(const Record& record);

  /// Of the run as it stands, header included. Exact.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t records() const noexcept { return records_; }

  /// The run, valid until clear(). Precondition: it has a record. May be called again.
  [[nodiscard]] std::span<const std::byte> finish();
  /// Of the run that finish() gave; valid until clear().
  [[nodiscard]] const RunPieces& pieces() const noexcept { return pieces_; }

 private:
  void add_key(std::span<const std::byte> key, std::size_t shared);
  void add_attributes(const Record& record);
  [[nodiscard]] std::vector<std::byte>& column(RunColumn column) noexcept {
    return columns_[static_cast<std::size_t>(column)];
  }

  /// All but the values, which are the last column and lie in run_ at once.
  static constexpr std::size_t front_columns = run_column_count - 1;
  static_assert(static_cast<std::size_t>(RunColumn::values) == front_columns);

  [[nodiscard]] std::size_t values_bytes() const noexcept { return run_.size() - front_room_; }

  std::array<std::vector<std::byte>, front_columns> columns_;
  std::vector<std::byte> last_key_;
  RunPieces pieces_;  // offsets in the column until finish(), then in the run
  std::uint64_t bytes_ = sizeof(RunHeader);
  std::size_t records_ = 0;
  std::size_t front_room_;  // before the values, for what finish() puts there
  std::vector<std::byte> run_;
  std::span<const std::byte> finished_;  // its end, all that is of the run
};

}  // namespace sluice::engine
