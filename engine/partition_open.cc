// How a PartitionSets comes to more than one partition a db.

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/partition_sets.h"
#include "engine/stage_borders.h"

namespace sluice::engine {
namespace {

constexpr std::size_t parts_when_unknown = 256;

}  // namespace

std::size_t PartitionSets::parts_for(const Set& set) const noexcept {
  const std::size_t parts_max = shelf_.partitions_max();
  const Partition& stage = set.partitions.front();
  auto expected = static_cast<double>(options_.expected_bytes);
  if (set.expected_records > 0) {
    expected = static_cast<double>(set.expected_records) * static_cast<double>(stage.bytes) /
               static_cast<double>(stage.records);
  }
  if (expected <= 0) return std::min(parts_when_unknown, parts_max);
  expected = std::max(expected, static_cast<double>(stage.bytes));
  const double parts = 1 + expected / static_cast<double>(options_.partition_bytes);
  return parts < static_cast<double>(parts_max) ? static_cast<std::size_t>(parts) : parts_max;
}

void PartitionSets::open(Set& set) {
  Partition& stage = set.partitions.front();
  PartitionShelf::close(stage);
  set.staged = false;
  std::optional<std::vector<std::vector<std::byte>>> borders;
  if (options_.by_slot) {
    borders = borders_from_slots(stage, shelf_.partitions_max(), options_.partition_bytes);
  }
  if (!borders) borders = borders_from_sample(stage, parts_for(set));
  if (!borders->empty()) divide(set, std::move(*borders));
}

void PartitionSets::divide(Set& set, std::vector<std::vector<std::byte>> borders) {
  const Partition stage = std::exchange(set.partitions.front(), {});
  set.staged = false;
  shelf_.gauge().sub(set.partitions.capacity() * sizeof(Partition));
  set.map = PartitionMap(std::move(borders));
  set.partitions.resize(set.map.size());
  set.partitions.shrink_to_fit();
  shelf_.gauge().add(set.partitions.capacity() * sizeof(Partition) + set.map.memory_bytes());
  for (Block* list = stage.full; list != nullptr;) {
    Block* const block = list;
    list = std::exchange(block->next, nullptr);
    for_each_record(block->data(), block->used, [&](const PackedRecord& record) {
      const std::size_t bytes = record.size();
      std::memcpy(place(set, record.label(), bytes), record.at(), bytes);
    });
    shelf_.pool().give(block);
  }
}

}  // namespace sluice::engine
