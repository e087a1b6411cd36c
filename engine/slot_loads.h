#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/key_slot.h"
#include "sluice/analyze.h"

namespace sluice::engine {

using net::cluster_slots;
using net::key_slot;

/// What each slot of a cluster would hold. Memory: 512 KiB.
class SlotLoads {
 public:
  SlotLoads() : slots_(cluster_slots) {}

  void add(std::uint16_t slot, bool has_tag, const Amount& amount) noexcept {
    slots_[slot] += amount;
    tagged_keys_ += has_tag ? 1 : 0;
  }
  /// `heaviest`: how many slots to name.
  [[nodiscard]] SlotSpread spread(std::span<const std::size_t> shards, std::size_t heaviest) const;

 private:
  [[nodiscard]] ShardSpread over(std::size_t shards) const;

  std::vector<Amount> slots_;
  std::uint64_t tagged_keys_ = 0;
};

}  // namespace sluice::engine
