#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "sluice/analyze.h"

namespace sluice::engine {

/// The largest keys by one measure; among equals those that came first.
class TopKeys {
 public:
  explicit TopKeys(std::size_t keys_max) : keys_max_(keys_max) {}

  /// Whether a key of this size would be kept. Asked first, since most are not and making a
  /// LargeKey costs more than the question.
  [[nodiscard]] bool wants(std::uint64_t size) const noexcept {
    return heap_.size() < keys_max_ || (keys_max_ > 0 && size > heap_.front().size);
  }
  void add(std::uint64_t size, LargeKey key);

  /// The largest first. Leaves nothing.
  [[nodiscard]] std::vector<LargeKey> take();

 private:
  struct Entry {
    std::uint64_t size = 0;
    std::uint64_t order = 0;
    LargeKey key;
  };
  static bool larger(const Entry& a, const Entry& b) noexcept {
    return a.size != b.size ? a.size > b.size : a.order < b.order;
  }

  std::size_t keys_max_;
  std::uint64_t added_ = 0;
  std::vector<Entry> heap_;  // the smallest in front
};

}  // namespace sluice::engine
