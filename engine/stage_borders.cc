#include "engine/stage_borders.h"

#include <algorithm>
#include <ranges>

#include "engine/border_sample.h"
#include "engine/slot_loads.h"

namespace sluice::engine {
namespace {

constexpr std::size_t samples_per_part = 32;
constexpr std::size_t border_bytes_max = 1 << 10;

std::size_t slot_of(Label label) {
  return std::to_integer<std::size_t>(label[0]) << 8 | std::to_integer<std::size_t>(label[1]);
}

}  // namespace

std::vector<std::vector<std::byte>> borders_from_sample(const Partition& stage, std::size_t parts) {
  BorderSample sample(border_bytes_max);
  const std::uint64_t stride =
      std::max<std::uint64_t>(stage.records / (samples_per_part * parts), 1);
  // One large record says nothing about others like it.
  const std::uint64_t weight_max = 4 * (stage.bytes / std::max<std::uint64_t>(stage.records, 1));
  std::uint64_t number = 0;
  for (const Block* block = stage.full; block != nullptr; block = block->next) {
    for_each_record(block->data(), block->used, [&](const PackedRecord& record) {
      if (number++ % stride != 0) return;
      sample.add(record.label(), std::min<std::uint64_t>(record.size(), weight_max));
    });
  }
  return sample.choose(parts);
}

std::optional<std::vector<std::vector<std::byte>>> borders_from_slots(const Partition& stage,
                                                                      std::size_t parts,
                                                                      std::size_t partition_bytes) {
  std::vector<const Block*> blocks;  // as they were filled
  for (const Block* block = stage.full; block != nullptr; block = block->next) {
    blocks.push_back(block);
  }
  std::size_t lowest = cluster_slots;
  std::size_t highest = 0;
  std::size_t last = 0;
  std::uint64_t descents = 0;
  for (const Block* block : std::views::reverse(blocks)) {
    for_each_record(block->data(), block->used, [&](const PackedRecord& record) {
      const std::size_t slot = slot_of(record.label());
      descents += slot < last ? 1 : 0;
      lowest = std::min(lowest, slot);
      highest = std::max(highest, slot);
      last = slot;
    });
  }
  if (lowest > highest || descents > stage.records / 16) return std::nullopt;

  const std::uint64_t slot_bytes = std::max<std::uint64_t>(stage.bytes / (highest - lowest + 1), 1);
  const std::size_t step = std::clamp<std::size_t>(
      partition_bytes / slot_bytes, (cluster_slots + parts - 1) / parts, cluster_slots);
  std::vector<std::vector<std::byte>> borders;
  for (std::size_t slot = step; slot < cluster_slots; slot += step) {
    borders.push_back({static_cast<std::byte>(slot >> 8), static_cast<std::byte>(slot & 0xff)});
  }
  return borders;
}

}  // namespace sluice::engine
