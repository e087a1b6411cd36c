#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/partition_shelf.h"

namespace sluice::engine {

/// Borders for all records of a db from its first ones, which are those of `stage`, closed and in
/// memory: a random sample of them.
[[nodiscard]] std::vector<std::vector<std::byte>> borders_from_sample(const Partition& stage,
                                                                      std::size_t parts);

/// The same by slot, where records came in ascending order of slots: slots are about equally
/// large, so borders are at every so many slots. Nothing when the order was another.
///
/// `parts`: more are not made; `partition_bytes`: how large one should be.
[[nodiscard]] std::optional<std::vector<std::vector<std::byte>>> borders_from_slots(
    const Partition& stage, std::size_t parts, std::size_t partition_bytes);

}  // namespace sluice::engine
