#pragma once

#include <span>

#include "engine/sorted_batch.h"

namespace sluice::engine {

/// Sorts `entries` by the labels of their records; prefixes need not be set before.
///
/// What all labels share is passed over, the next eight bytes are sorted as numbers, and where they
/// agree the same is done with what is behind them. Returns a record that is there twice, or null.
[[nodiscard]] const std::byte* sort_entries(std::span<SortedBatch::Entry> entries);

/// The same when records are there twice: of those with one label the first that is not foreign
/// stays, or the first; `entries` then ends before what is left out, which is behind it. Returns a
/// record that is not foreign and there twice, or null.
[[nodiscard]] const std::byte* sort_dropping_foreign(std::span<SortedBatch::Entry>& entries);

}  // namespace sluice::engine
