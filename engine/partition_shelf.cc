#include "engine/partition_shelf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

namespace sluice::engine {
namespace {

constexpr std::size_t partitions_limit = 1024;
constexpr std::size_t block_bytes_min = 4 << 10;
constexpr std::size_t block_bytes_max = 64 << 10;
constexpr std::uint64_t extent_bytes = 1 << 20;  // without the last block; small, to sample from

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
      pool_(memory_bytes, block_bytes_for(memory_bytes), gauge_) {}

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
  if (!error_) {
    if (auto written = write(partition); !written) fail(std::move(written.error()));
  }
  pool_.give(std::exchange(partition.full, nullptr));
  partition.memory_bytes = 0;
}

Result<void> PartitionShelf::write(Partition& partition) noexcept {
  std::array<std::span<const std::byte>, ExtentFile::parts_max> parts;
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const Block* block = partition.full; block != nullptr; block = block->next) {
    parts[count++] = {block->data(), block->used};
    bytes += block->used;
    if (count < parts.size() && bytes < extent_bytes && block->next != nullptr) continue;
    auto extent = file_.write(partition.extent, std::span(parts).first(count));
    if (!extent) return std::unexpected(std::move(extent.error()));
    partition.extent = *extent;
    partition.extent_bytes += extent->bytes;
    ++partition.extents;
    count = 0;
    bytes = 0;
  }
  return {};
}

void PartitionShelf::release(Partition& partition) noexcept {
  pool_.release(std::exchange(partition.full, nullptr));
  partition.memory_bytes = 0;
}

}  // namespace sluice::engine
