#pragma once

#include <atomic>
#include <cstdint>

#include "engine/label_order.h"
#include "engine/partition_shelf.h"
#include "engine/partition_store.h"

namespace sluice::engine {

/// One closed partition on its way out.
struct PartitionTake {
  const PartitionOptions& options;
  PartitionShelf& shelf;
  std::uint64_t db;
  Partition& partition;
  const PartitionStore::BatchFunction& batch;
};

/// "duplicate_key".
[[nodiscard]] Error duplicate_key(const PartitionTake& take, Label label);

/// Whether it may be loaded and sorted at once.
[[nodiscard]] bool can_sort(const PartitionTake& take) noexcept;
/// Loads it, sorts it and gives it to `batch`. What was in scratch is discarded.
[[nodiscard]] Result<void> sort_partition(const PartitionTake& take);
/// Divides it into smaller ones, through scratch, and takes those in order. Adds to
/// `written_bytes` what is written for it.
[[nodiscard]] Result<void> split_partition(const PartitionTake& take,
                                           std::atomic<std::uint64_t>& written_bytes);

}  // namespace sluice::engine
