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
/// Memory:  twice the run and 28 bytes a record; kept from one run to the next, so that nothing is
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

  std::array<std::vector<std::byte>, run_column_count> columns_;
  std::vector<std::byte> last_key_;
  RunPieces pieces_;  // offsets in the column until finish(), then in the run
  std::uint64_t bytes_ = sizeof(RunHeader);
  std::size_t records_ = 0;
  std::vector<std::byte> run_;  // empty until finish()
};

}  // namespace sluice::engine
