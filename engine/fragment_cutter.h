#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/siphash.h"

namespace sluice::engine {

/// Decides where a long value is cut into fragments, from its bytes and a secret: after an edit the
/// cuts are the same again soon behind it.
///
///     cutter.restart();                          // for each value
///     while (!part.empty()) {
///       const auto [bytes, complete] = cutter.feed(part);
///       …                                        // these bytes are the fragment's
///       part = part.subspan(bytes);
///     }                                          // what is not complete in the end is the last
///
/// Fragments have min_bytes to max_bytes, the last one of a value excepted, and target_bytes on
/// average. The cuts do not depend on how the value is fed.
///
/// Source:  Gear hash (Xia and others, 2014) under a table that the secret makes.
/// Memory:  2 KiB. Threads: none; one at a time.
class FragmentCutter {
 public:
  static constexpr std::uint64_t target_bytes = 256 << 10;
  static constexpr std::uint64_t min_bytes = 64 << 10;
  static constexpr std::uint64_t max_bytes = 1 << 20;

  struct Taken {
    std::size_t bytes = 0;  ///< From the front of what was fed.
    bool complete = false;  ///< The fragment ends with them.
  };

  explicit FragmentCutter(const CutKey& key) noexcept;

  /// A value begins.
  void restart() noexcept {
    size_ = 0;
    hash_ = 0;
  }
  /// Fewer bytes than `part` has only when the fragment is complete.
  [[nodiscard]] Taken feed(std::span<const std::byte> part) noexcept;

 private:
  std::array<std::uint64_t, 256> table_{};
  std::uint64_t size_ = 0;  // of the fragment so far
  std::uint64_t hash_ = 0;  // of its last 64 bytes
};

}  // namespace sluice::engine
