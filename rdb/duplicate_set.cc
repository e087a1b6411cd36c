#include "rdb/duplicate_set.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
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

void DuplicateSet::clear() {
  constexpr std::size_t keep_slots_max = 512;
  size_ = 0;
  if (!in_table_) return;
  in_table_ = false;
  if (table_.size() > keep_slots_max) {
    table_.clear();
    table_.shrink_to_fit();
  } else {
    std::ranges::fill(table_, 0);
  }
}

bool DuplicateSet::move_to_table(std::uint64_t hash) {
  in_table_ = true;
  if (table_.empty()) table_.resize(64);
  for (const std::uint64_t known : small_) place(known);
  return insert_into_table(hash);
}

bool DuplicateSet::insert_into_table(std::uint64_t hash) {
  if (size_ * 4 >= table_.size() * 3) {
    std::vector<std::uint64_t> before(table_.size() * 2);
    before.swap(table_);
    for (const std::uint64_t known : before) {
      if (known != 0) place(known);
    }
  }
  if (!place(hash)) return false;
  ++size_;
  return true;
}

bool DuplicateSet::place(std::uint64_t hash) noexcept {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    if (table_[slot] == hash) return false;
    if (table_[slot] != 0) continue;
    table_[slot] = hash;
    return true;
  }
}

}  // namespace sluice::rdb
