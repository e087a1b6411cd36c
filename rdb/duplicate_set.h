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
/// Memory: none beside this up to `small_max` elements, then 11 to 22 bytes an element. Kept for
/// the next collection up to 4 KiB.
class DuplicateSet {
 public:
  /// Forgets all elements.
  void clear();
  /// False when it was there already.
  [[nodiscard]] bool insert(std::uint64_t hash) {
    hash += hash == 0 ? 1 : 0;  // 0 marks a free slot
    if (in_table_) return insert_into_table(hash);
    for (std::size_t i = 0; i < size_; ++i) {
      if (small_[i] == hash) return false;
    }
    if (size_ == small_max) return move_to_table(hash);
    small_[size_++] = hash;
    return true;
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  [[nodiscard]] static std::uint64_t hash(std::span<const std::byte> element) noexcept;
  [[nodiscard]] static std::uint64_t seed() noexcept;

 private:
  static constexpr std::size_t small_max = 16;

  bool move_to_table(std::uint64_t hash);
  bool insert_into_table(std::uint64_t hash);
  bool place(std::uint64_t hash) noexcept;

  std::array<std::uint64_t, small_max> small_{};
  std::vector<std::uint64_t> table_;  // open addressing; 0 is free
  std::uint64_t size_ = 0;
  bool in_table_ = false;
};

}  // namespace sluice::rdb
