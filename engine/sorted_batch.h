#pragma once

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

 private:
  std::uint64_t db_;
  bool by_slot_;
  std::span<const Entry> entries_;
};

}  // namespace sluice::engine
