#include "engine/partition_take.h"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "engine/partition_sets.h"
#include "engine/partition_sort.h"
#include "engine/scratch_file.h"
#include "engine/split_borders.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

using Entry = SortedBatch::Entry;

/// Calls `see` with each record; the bytes of extents are in `loaded`, extent_bytes large.
template <class See>
Result<void> load(const PartitionTake& take, std::span<std::byte> loaded, See&& see) {
  for (const Block* block = take.partition.full; block != nullptr; block = block->next) {
    for_each_record(block->data(), block->used, see);
  }
  for (Extent extent = take.partition.extent; extent.bytes > 0;) {
    if (extent.bytes > loaded.size()) return std::unexpected(scratch_error("read", EIO));
    const auto bytes = loaded.first(extent.bytes);
    auto before = take.shelf.file().read(extent, bytes);
    if (!before) return std::unexpected(std::move(before.error()));
    take.shelf.file().discard(extent);
    constexpr std::size_t head_bytes = sizeof(ExtentFile::Head);
    for_each_record(bytes.data() + head_bytes, bytes.size() - head_bytes, see);
    loaded = loaded.subspan(extent.bytes);
    extent = *before;
  }
  return {};
}

/// The same one by one; what was seen is given back at once.
template <class See>
Result<void> drain(const PartitionTake& take, See&& see) {
  while (Block* const block = take.partition.full) {
    take.partition.full = std::exchange(block->next, nullptr);
    for_each_record(block->data(), block->used, see);
    take.shelf.pool().release(block);
  }
  for (Extent extent = take.partition.extent; extent.bytes > 0;) {
    const MemoryCount count(take.shelf.gauge(), extent.bytes);
    const auto memory = std::make_unique_for_overwrite<std::byte[]>(extent.bytes);
    auto before = take.shelf.file().read(extent, {memory.get(), extent.bytes});
    if (!before) return std::unexpected(std::move(before.error()));
    take.shelf.file().discard(extent);
    constexpr std::size_t head_bytes = sizeof(ExtentFile::Head);
    for_each_record(memory.get() + head_bytes, extent.bytes - head_bytes, see);
    extent = *before;
  }
  return {};
}

}  // namespace

Error duplicate_key(const PartitionTake& take, Label label) {
  const auto key = label.subspan(take.options.by_slot ? 2 : 0);
  return {.stage = Stage::engine,
          .code = "duplicate_key",
          .message = "db " + std::to_string(take.db) + " has the key \"" + rdb::escape(key) +
                     "\" twice, so no server loads it; `--layout stream` keeps such a file as it "
                     "is"};
}

bool can_sort(const PartitionTake& take) noexcept {
  const std::size_t bytes_max = take.options.partition_bytes_max;
  return take.partition.records == 1 || (take.partition.extent_bytes <= bytes_max &&
                                         take.partition.records <= bytes_max / (2 * sizeof(Entry)));
}

Result<void> sort_partition(const PartitionTake& take) {
  const auto loaded_bytes = static_cast<std::size_t>(take.partition.extent_bytes);
  const auto records = static_cast<std::size_t>(take.partition.records);
  const MemoryCount count(take.shelf.gauge(), loaded_bytes + records * sizeof(Entry));
  const auto loaded = std::make_unique_for_overwrite<std::byte[]>(loaded_bytes);
  const auto memory = std::make_unique_for_overwrite<Entry[]>(records);
  const std::span entries(memory.get(), records);
  std::size_t seen = 0;
  auto done = load(take, {loaded.get(), loaded_bytes}, [&](const PackedRecord& record) {
    if (seen < records) entries[seen] = {.prefix = 0, .record = record.at()};
    ++seen;
  });
  if (!done) return done;
  if (seen != records) return std::unexpected(scratch_error("read", EIO));
  std::span<Entry> kept = entries;
  const std::byte* twice = sort_entries(entries);
  if (twice != nullptr && take.options.on_dropped) twice = sort_dropping_foreign(kept);
  if (twice != nullptr) return std::unexpected(duplicate_key(take, PackedRecord(twice).label()));
  for (const Entry& dropped : entries.subspan(kept.size())) {
    take.options.on_dropped(take.db, PackedRecord(dropped.record).type());
  }
  return take.batch(SortedBatch(take.db, take.options.by_slot, kept));
}

Result<void> split_partition(const PartitionTake& take, std::atomic<std::uint64_t>& written_bytes) {
  auto borders = split_borders(take);
  if (!borders) return std::unexpected(std::move(borders.error()));
  std::vector<Fence> fences;
  for (auto& border : *borders) fences.push_back({.db = take.db, .label = std::move(border)});
  PartitionOptions options = take.options;
  options.memory_bytes = options.partition_bytes_max / 2;
  PartitionSets parts(options, std::move(fences), &take.shelf.gauge());

  auto done = drain(take, [&](const PackedRecord& record) { parts.add_packed(take.db, record); });
  parts.spill_all();
  if (done) done = parts.finish();
  for (std::size_t i = 0; done && i < parts.partitions(); ++i) done = parts.take(i, take.batch);
  written_bytes += parts.stats().spilled_bytes;
  return done;
}

Result<void> PartitionSets::take(std::size_t index, const PartitionStore::BatchFunction& batch) {
  if (const auto& failed = shelf_.error()) return std::unexpected(*failed);
  const Rank& rank = ranks_[index];
  const PartitionTake take{options_, shelf_, rank.lower.db, *rank.partition, batch};
  auto done = can_sort(take) ? sort_partition(take) : split_partition(take, split_bytes_);
  shelf_.release(*rank.partition);
  return done;
}

}  // namespace sluice::engine
