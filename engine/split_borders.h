#pragma once

#include <cstddef>
#include <vector>

#include "engine/partition_take.h"

namespace sluice::engine {

/// Borders, one at least, that divide a partition of two records or more into smaller ones, from
/// labels read here and there in it.
///
/// Memory:  a quarter of partition_bytes_max, or an extent.
/// Errors:  "duplicate_key" when all labels are the same; "scratch_failed".
[[nodiscard]] Result<std::vector<std::vector<std::byte>>> split_borders(const PartitionTake& take);

}  // namespace sluice::engine
