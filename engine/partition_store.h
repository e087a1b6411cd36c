#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/record.h"
#include "engine/sorted_batch.h"
#include "sluice/result.h"

namespace sluice::engine {

class PartitionSets;

/// Where a partition begins. The label is what records are sorted by within a db: the bytes of the
/// key, with the two big-endian bytes of its slot before them when sorted by slot.
struct Fence {
  std::uint64_t db = 0;
  std::vector<std::byte> label;

  friend bool operator==(const Fence&, const Fence&) = default;
};

struct PartitionOptions {
  /// What records may take in memory until finish(); above it they go to scratch. Below 1 MiB it
  /// works, slowly.
  std::size_t memory_bytes = 128 << 20;
  std::size_t partition_bytes = 8 << 20;       ///< A partition should be as large as this.
  std::size_t partition_bytes_max = 16 << 20;  ///< More is never loaded and sorted at once.
  bool by_slot = false;
  std::uint64_t expected_bytes = 0;  ///< Of all records; 0 when nobody knows.
  /// Told of each record that is left out, for another that has its key: it was sent by a node that
  /// does not serve its slot. Called by whoever takes; may be empty.
  std::function<void(std::uint64_t db, std::uint8_t type)> on_dropped = {};
};

struct PartitionStats {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;              ///< As they are held: keys, values and some 10 bytes each.
  std::uint64_t spilled_bytes = 0;      ///< Written to scratch, also when split again.
  std::uint64_t memory_peak_bytes = 0;  ///< Store and all take() under way, without `batch`'s own.
};

/// Sorts records by (db, label), whatever their number: they are dealt out to partitions by ranges
/// of labels while they arrive; the largest partitions go to a scratch file when the budget is
/// used up; then each partition is sorted for itself.
///
///     PartitionStore store(options, {});
///     store.add(db, record);                                // each record, in any order
///     if (auto done = store.finish(); !done) …
///     for (i < store.partitions()) store.take(i, …);        // from several threads, if wanted
///
/// Where a db has fences they are the borders. Otherwise they are chosen from its first records:
/// in the order of a hash table these are a random sample. By slot they are chosen from slots.
///
/// Memory:  memory_bytes, and the largest record while it arrives, until finish(); a take() has
///          at most 1.5 * partition_bytes_max of its own, or one record that is larger. Of
///          memory_bytes, what was touched stays with the process until the store goes.
/// Disk:    in $TMPDIR or /tmp, what does not fit in memory; what is split again twice for a while.
/// Errors:  "scratch_failed" and "record_too_long" are sticky: after one, adding does nothing.
///          "duplicate_key" where a (db, key) is there twice: no server loads such an RDB. Records
///          that are `foreign` give way instead.
/// Threads: one until finish(); then any number may call take(), each index once. Two of its own
/// make
///          memory ready and write to scratch.
class PartitionStore {
 public:
  using BatchFunction = std::function<Result<void>(const SortedBatch&)>;

  /// `fences`: ascending; those that are not are left out.
  explicit PartitionStore(const PartitionOptions& options, std::vector<Fence> fences = {});
  PartitionStore(const PartitionStore&) = delete;
  PartitionStore& operator=(const PartitionStore&) = delete;
  ~PartitionStore();

  /// How many records a db is said to have; before its first one. Only a hint.
  void expect(std::uint64_t db, std::uint64_t records);

  /// Copies the record.
  void add(std::uint64_t db, const Record& record);

  /// A record whose value comes in parts, which are copied to where they stay. `record.value` is
  /// not looked at.
  void begin(std::uint64_t db, const Record& record);
  void append(std::span<const std::byte> part);
  /// The value so far; may be changed in place. Valid until the next call.
  [[nodiscard]] std::span<std::byte> begun_value() noexcept;
  void end();
  /// Instead of end(): as if begin() had not been called.
  void drop();

  [[nodiscard]] Result<void> finish();
  /// What finish() will say, for those who want to stop before it.
  [[nodiscard]] const std::optional<Error>& error() const noexcept;

  /// Partitions in order of (db, label), none of them empty.
  [[nodiscard]] std::size_t partitions() const noexcept;
  /// The border below partition `index`: no label of it is less, all of the one before are.
  [[nodiscard]] const Fence& lower(std::size_t index) const noexcept;

  /// Calls `batch` with partition `index`, sorted: mostly once; with several batches, in order,
  /// when it is too large to be sorted at once. What it had is given back afterwards, also after an
  /// error. An error of `batch` ends it and is returned.
  [[nodiscard]] Result<void> take(std::size_t index, const BatchFunction& batch);

  [[nodiscard]] PartitionStats stats() const noexcept;

 private:
  std::unique_ptr<PartitionSets> sets_;
};

}  // namespace sluice::engine
