#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/run_format.h"
#include "storage/delta.h"

namespace sluice::engine {

/// A run that was written here or opened by a RunReader, and where what lies in it. Borrowed.
struct RunView {
  std::span<const std::byte> raw;
  const RunPieces* pieces = nullptr;
};

/// Finds how a run comes out of another that holds about the same keys: what a record has in common
/// with the record of the same key is copied, column by column.
///
/// Memory:  4 bytes a record and the longest keys; kept from one call to the next.
/// Threads: none; one at a time.
class RunDelta {
 public:
  /// Values from here on that differ are looked at for a common beginning and end.
  static constexpr std::size_t split_bytes_min = 64;
  /// How long those must be.
  static constexpr std::size_t common_bytes_min = 16;

  /// Replaces what is in `out`: the ops that make `result` of `base`. They do whatever the
  /// base holds, and are few when it holds the same keys.
  void make(const RunView& base, const RunView& result, storage::DeltaOps& out);

  /// Records of the last `result` whose key is in `base`.
  [[nodiscard]] std::size_t matched() const noexcept { return matched_; }

 private:
  static constexpr std::uint32_t unmatched = UINT32_MAX;

  void match(const RunView& base, const RunView& result);

  std::vector<std::uint32_t> base_of_;  // the record of the base with the same key
  std::size_t matched_ = 0;
  std::vector<std::byte> base_key_;
  std::vector<std::byte> result_key_;
};

/// The same for one call.
void make_delta(const RunView& base, const RunView& result, storage::DeltaOps& out);

}  // namespace sluice::engine
