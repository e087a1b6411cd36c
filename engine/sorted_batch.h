#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/packed_record.h"
#include "engine/record.h"

namespace sluice::engine {

/// Records of one db in ascending order of their labels. Borrowed: it and what it gives are valid
/// until the function that got it returns.
class SortedBatch {
 public:
  /// A record, and what decides most comparisons.
  struct Entry {
    std::uint64_t prefix = 0;
    const std::byte* record = nullptr;  ///< As PackedRecord has it.
  };

  SortedBatch(std::uint64_t db, bool by_slot, std::span<const Entry> entries) noexcept
      : db_(db), by_slot_(by_slot), entries_(entries) {}

  [[nodiscard]] std::uint64_t db() const noexcept { return db_; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  /// Decoded at each call, from a few bytes.
  [[nodiscard]] Record operator[](std::size_t index) const noexcept {
    return PackedRecord(entries_[index].record).unpack(by_slot_);
  }
  /// What it is sorted by: the key, with two big-endian bytes of its slot before it when by slot.
  [[nodiscard]] std::span<const std::byte> label(std::size_t index) const noexcept {
    return PackedRecord(entries_[index].record).label();
  }

  /// Has the first `bytes` bytes of a record that is soon to be looked at, as far as there is one,
  /// brought near: sorted, records lie anywhere.
  void prefetch(std::size_t index, std::size_t bytes) const noexcept {
    if (index >= entries_.size()) return;
    constexpr std::size_t line_bytes = 64;
    constexpr std::size_t bytes_max = 1024;  // then the processor has seen where it goes
    const std::byte* const at = entries_[index].record;
    for (std::size_t i = 0; i < std::min(bytes, bytes_max); i += line_bytes)
      __builtin_prefetch(at + i);
  }

 private:
  std::uint64_t db_;
  bool by_slot_;
  std::span<const Entry> entries_;
};

}  // namespace sluice::engine
