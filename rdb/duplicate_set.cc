#include "rdb/duplicate_set.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <random>

namespace sluice::rdb {

std::uint64_t DuplicateSet::seed() noexcept {
  static const std::uint64_t drawn = [] {
    std::random_device source;
    return std::uint64_t{source()} << 32 | source();
  }();
  return drawn;
}

std::uint64_t DuplicateSet::hash(std::span<const std::byte> element) noexcept {
  return XXH3_64bits_withSeed(element.data(), element.size(), seed());
}

// Half of the slots stay free, as far as the hint is true and memory may be had for a mere hint.
bool DuplicateSet::move_to_table(std::uint64_t hash) {
  constexpr std::uint64_t slots_min = 4 * small_max;
  use_slots(std::bit_ceil(std::clamp<std::uint64_t>(2 * expected_, slots_min, keep_slots_max)));
  for (const std::uint64_t known : small_) place(known);
  if (!place(hash)) {
    mask_ = 0;
    return false;
  }
  ++size_;
  return true;
}

void DuplicateSet::use_slots(std::size_t slots) {
  if (table_.size() < slots) {
    table_.assign(slots, 0);
  } else {
    std::fill_n(table_.begin(), slots, 0);
  }
  mask_ = slots - 1;
}

void DuplicateSet::grow() {
  const std::size_t slots = mask_ + 1;
  std::vector<std::uint64_t> before(2 * slots);
  before.swap(table_);
  mask_ = 2 * slots - 1;
  for (std::size_t i = 0; i < slots; ++i) {
    if (before[i] != 0) place(before[i]);
  }
}

void DuplicateSet::release() noexcept {
  table_.clear();
  table_.shrink_to_fit();
}

}  // namespace sluice::rdb
