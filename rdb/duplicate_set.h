#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::rdb {

/// Finds elements that a collection has twice, by 64-bit hashes under a seed drawn when the program
/// starts: nobody can make two elements look like one on purpose, and by accident a million
/// elements do so once in thirty million times.
///
/// Memory: none beside this up to `small_max` elements, then 11 to 22 bytes an element; or 16 KiB,
/// where that is more, of which no more is cleared for a collection than its elements need.
class DuplicateSet {
 public:
  /// Forgets all elements.
  void clear() noexcept {
    size_ = 0;
    expected_ = 0;
    mask_ = 0;
    if (table_.size() > keep_slots_max) release();
  }
  /// That many elements are said to come: a hint, which need not be true.
  void expect(std::uint64_t count) noexcept { expected_ = count; }
  /// False when it was there already; nothing is changed then.
  [[nodiscard]] bool insert(std::uint64_t hash) {
    hash += hash == 0 ? 1 : 0;  // 0 marks a free slot
    if (mask_ == 0) return insert_into_small(hash);
    if (size_ * 4 > mask_ * 3) grow();
    if (!place(hash)) return false;
    ++size_;
    return true;
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  [[nodiscard]] static std::uint64_t hash(std::span<const std::byte> element) noexcept;
  [[nodiscard]] static std::uint64_t seed() noexcept;

 private:
  static constexpr std::size_t small_max = 8;
  static constexpr std::size_t keep_slots_max = 2048;

  bool insert_into_small(std::uint64_t hash) {
    for (std::size_t i = 0; i < size_; ++i) {
      if (small_[i] == hash) return false;
    }
    if (size_ == small_max) return move_to_table(hash);
    small_[size_++] = hash;
    return true;
  }
  bool place(std::uint64_t hash) noexcept {
    for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
      if (table_[slot] == hash) return false;
      if (table_[slot] != 0) continue;
      table_[slot] = hash;
      return true;
    }
  }
  bool move_to_table(std::uint64_t hash);
  void use_slots(std::size_t slots);
  void grow();
  void release() noexcept;

  std::array<std::uint64_t, small_max> small_{};
  std::vector<std::uint64_t> table_;  // open addressing; 0 is free
  std::uint64_t mask_ = 0;            // slots in use less one; 0: they are in small_
  std::uint64_t size_ = 0;
  std::uint64_t expected_ = 0;
};

}  // namespace sluice::rdb
