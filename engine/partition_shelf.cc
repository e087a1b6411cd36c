#include "engine/partition_shelf.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace sluice::engine {
namespace {

constexpr std::size_t partitions_limit = 1024;
constexpr std::size_t block_bytes_min = 4 << 10;
constexpr std::size_t block_bytes_max = 64 << 10;

/// So that what is left over of blocks, half of one in each partition, is an eighth of the memory.
std::size_t block_bytes_for(std::size_t memory_bytes) {
  const std::size_t bytes = memory_bytes / (4 * partitions_limit);
  return std::bit_floor(std::clamp(bytes, block_bytes_min, block_bytes_max));
}

}  // namespace

PartitionShelf::PartitionShelf(std::size_t memory_bytes, MemoryGauge* whole)
    : gauge_(whole),
      partitions_max_(std::clamp<std::size_t>(memory_bytes / (4 * block_bytes_for(memory_bytes)), 2,
                                              partitions_limit)),
      pool_(memory_bytes, block_bytes_for(memory_bytes), gauge_),
      spill_(pool_, file_) {}

void PartitionShelf::renew(Partition& partition) {
  close(partition);
  Block* const block = pool_.take();
  partition.current = block;
  partition.at = block->data();
  partition.end = partition.at + block->room;
  partition.memory_bytes += pool_.block_bytes();
}

void PartitionShelf::attach(Partition& partition, Block* block) noexcept {
  block->next = partition.full;
  partition.full = block;
  partition.memory_bytes += sizeof(Block) + block->room;
}

void PartitionShelf::close(Partition& partition) noexcept {
  if (partition.current == nullptr) return;
  partition.current->used = static_cast<std::size_t>(partition.at - partition.current->data());
  partition.current->next = partition.full;
  partition.full = std::exchange(partition.current, nullptr);
  partition.at = nullptr;
  partition.end = nullptr;
}

void PartitionShelf::spill(Partition& partition) {
  close(partition);
  spill_.push(partition);
}

void PartitionShelf::release(Partition& partition) noexcept {
  pool_.release(std::exchange(partition.full, nullptr));
  partition.memory_bytes = 0;
}

}  // namespace sluice::engine
