#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/siphash.h"

namespace sluice::engine {

/// Decides where sorted records are cut into runs. A cut depends on the key before which it is made
/// and on a secret, and little on what lies before it: two lists that differ in some records have
/// most cuts in common.
///
/// Before each record, once the run has min_bytes, a number that the secret makes of its key is
/// compared with what its length calls for, so that runs come to target_bytes on average, less
/// where records are not much shorter than min_bytes. A run that would pass max_bytes is cut where
/// that number was lowest.
///
/// A run is shorter than min_bytes only when it is the last, or when the record after it does not
/// fit with it; longer than max_bytes only when it is one record.
///
/// Threads: may be shared.
class RunCutter {
 public:
  static constexpr std::uint64_t target_bytes = 256 << 10;
  static constexpr std::uint64_t min_bytes = 64 << 10;
  static constexpr std::uint64_t max_bytes = 1 << 20;

  struct Item {
    std::span<const std::byte> key;
    std::uint64_t bytes = 0;  ///< That it adds to a run, about.
  };

  explicit RunCutter(const CutKey& key) noexcept : key_(key) {}

  /// Replaces what is in `cuts`: the index at which each run ends, in ascending order; the last is
  /// items.size(). Empty for no items.
  void cut(std::span<const Item> items, std::vector<std::size_t>& cuts) const;

 private:
  /// Where the run that begins at `first` ends.
  [[nodiscard]] std::size_t end_of_run(std::span<const Item> items, std::size_t first) const;

  CutKey key_;
};

}  // namespace sluice::engine
