#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/block_pool.h"
#include "engine/extent_file.h"
#include "engine/packed_record.h"
#include "engine/partition_spill.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Packed records of one range of labels, in no order. What it holds is given back to its
/// PartitionShelf by hand.
struct Partition {
  std::byte* at = nullptr;  ///< Where the next record goes, in `current`.
  std::byte* end = nullptr;
  Block* current = nullptr;  ///< Its `used` is behind until PartitionShelf::close().
  Block* full = nullptr;
  Extent extent;  ///< The last one in scratch.
  std::uint64_t extents = 0;
  std::uint64_t extent_bytes = 0;  ///< Of all in scratch.
  std::uint64_t memory_bytes = 0;  ///< Blocks, not only what is used of them.
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;

  [[nodiscard]] std::size_t room() const noexcept { return static_cast<std::size_t>(end - at); }
};

/// Calls `see` with each of the packed records that lie one after another.
template <class See>
void for_each_record(const std::byte* at, std::size_t bytes, See&& see) {
  for (const std::byte* const end = at + bytes; at != end;) {
    const PackedRecord record(at);
    at += record.size();
    see(record);
  }
}

/// Where the records of partitions lie: memory, which it hands out without looking at a budget,
/// and scratch.
///
/// Errors:  of scratch are sticky; records that were to be written are lost then.
/// Threads: one; after finish_spills(), release() and file().read(), peek() and discard() from any
///          number at once. One of its own writes to scratch.
class PartitionShelf {
 public:
  PartitionShelf(std::size_t memory_bytes, MemoryGauge* whole);
  PartitionShelf(const PartitionShelf&) = delete;
  PartitionShelf& operator=(const PartitionShelf&) = delete;

  [[nodiscard]] BlockPool& pool() noexcept { return pool_; }
  [[nodiscard]] MemoryGauge& gauge() noexcept { return gauge_; }
  [[nodiscard]] const MemoryGauge& gauge() const noexcept { return gauge_; }
  [[nodiscard]] const ExtentFile& file() const noexcept { return file_; }
  /// Larger records get blocks of their own: too much of a common one would be left over.
  [[nodiscard]] std::size_t common_bytes_max() const noexcept { return pool_.block_room() / 8; }
  /// How many partitions the memory is enough for.
  [[nodiscard]] std::size_t partitions_max() const noexcept { return partitions_max_; }

  /// Goes on in a new block.
  void renew(Partition& partition);
  /// Puts a large block to what the partition has.
  static void attach(Partition& partition, Block* block) noexcept;
  /// No more records come.
  static void close(Partition& partition) noexcept;
  /// Has all that is in memory written to scratch, by and by. The partition is not to move, nor its
  /// extents to be looked at, until finish_spills() or stop_spills().
  void spill(Partition& partition);
  /// How much of the memory is being written.
  [[nodiscard]] std::size_t spilling_bytes() const noexcept { return spill_.pending_bytes(); }
  /// Waits until some of it is free again. False when nothing is being written.
  bool wait_for_spill() { return spill_.wait_for_one(); }
  void finish_spills() { spill_.finish(); }
  /// What is not written yet will not be.
  void stop_spills() noexcept { spill_.stop(); }
  /// Gives back the memory of a closed partition.
  void release(Partition& partition) noexcept;

  [[nodiscard]] const std::optional<Error>& error() const noexcept {
    return error_ ? error_ : spill_.error();
  }
  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

 private:
  MemoryGauge gauge_;
  std::size_t partitions_max_;
  BlockPool pool_;
  ExtentFile file_;
  PartitionSpill spill_;
  std::optional<Error> error_;
};

}  // namespace sluice::engine
