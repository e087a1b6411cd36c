#include "engine/slot_loads.h"

#include <algorithm>
#include <numeric>

namespace sluice::engine {
SlotSpread SlotLoads::spread(std::span<const std::size_t> shards, std::size_t heaviest) const {
  SlotSpread spread;
  spread.tagged_keys = tagged_keys_;
  spread.keys_min = slots_.front().keys;
  std::uint64_t keys = 0;
  for (const Amount& slot : slots_) {
    keys += slot.keys;
    spread.slots_used += slot.keys > 0 ? 1 : 0;
    spread.keys_min = std::min(spread.keys_min, slot.keys);
    spread.keys_max = std::max(spread.keys_max, slot.keys);
  }
  spread.keys_mean = static_cast<double>(keys) / cluster_slots;

  std::vector<std::size_t> order(cluster_slots);
  // NOLINTNEXTLINE(modernize-use-ranges): libstdc++ 12 has no std::ranges::iota
  std::iota(order.begin(), order.end(), 0);
  heaviest = std::min<std::size_t>(heaviest, spread.slots_used);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(heaviest);
  std::ranges::partial_sort(order, middle, [this](std::size_t a, std::size_t b) {
    const std::uint64_t bytes_a = slots_[a].serialized_bytes;
    const std::uint64_t bytes_b = slots_[b].serialized_bytes;
    return bytes_a != bytes_b ? bytes_a > bytes_b : a < b;
  });
  for (std::size_t i = 0; i < heaviest; ++i) {
    spread.heaviest.push_back({.slot = order[i], .amount = slots_[order[i]]});
  }
  for (const std::size_t count : shards) spread.clusters.push_back(over(count));
  return spread;
}

/// Ranges as `redis-cli --cluster create` gives them out: as even as they can be.
ShardSpread SlotLoads::over(std::size_t shards) const {
  ShardSpread spread;
  spread.shards.resize(shards);
  std::size_t slot = 0;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::size_t end = ((shard + 1) * cluster_slots * 2 + shards) / (2 * shards);
    for (; slot < end; ++slot) spread.shards[shard] += slots_[slot];
  }
  std::uint64_t total = 0;
  std::uint64_t most = 0;
  for (const Amount& shard : spread.shards) {
    total += shard.memory_bytes;
    most = std::max(most, shard.memory_bytes);
  }
  if (total > 0) {
    spread.imbalance =
        static_cast<double>(most) * static_cast<double>(shards) / static_cast<double>(total);
  }
  return spread;
}

}  // namespace sluice::engine
