#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "engine/border_sample.h"
#include "engine/partition_map.h"
#include "engine/partition_shelf.h"
#include "engine/partition_store.h"

namespace sluice::engine {

/// What a PartitionStore is made of: for each db its partitions, and which labels go where.
///
/// A db without fences is staged first: all its records go to one partition, until there are
/// enough to choose borders from. A staged db that has to go to scratch keeps that one partition.
class PartitionSets {
 public:
  /// `whole` counts what this takes too; it may be null.
  PartitionSets(const PartitionOptions& options, std::vector<Fence> fences, MemoryGauge* whole);
  PartitionSets(const PartitionSets&) = delete;
  PartitionSets& operator=(const PartitionSets&) = delete;
  ~PartitionSets();

  void expect(std::uint64_t db, std::uint64_t records) { set_of(db).expected_records = records; }
  void add(std::uint64_t db, const Record& record);
  void add_packed(std::uint64_t db, const PackedRecord& record);
  void begin(std::uint64_t db, const Record& record);
  void append(std::span<const std::byte> part);
  [[nodiscard]] std::span<std::byte> begun_value() noexcept;
  void end();
  void drop();

  /// Writes everything to scratch.
  void spill_all();
  [[nodiscard]] Result<void> finish();
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return shelf_.error(); }

  [[nodiscard]] std::size_t partitions() const noexcept { return ranks_.size(); }
  [[nodiscard]] const Fence& lower(std::size_t index) const noexcept { return ranks_[index].lower; }
  [[nodiscard]] Result<void> take(std::size_t index, const PartitionStore::BatchFunction& batch);

  [[nodiscard]] PartitionStats stats() const noexcept;

 private:
  struct Set {
    std::uint64_t db = 0;
    std::uint64_t expected_records = 0;
    bool staged = true;
    PartitionMap map;
    std::vector<Partition> partitions = std::vector<Partition>(1);

    [[nodiscard]] Partition& find(Label label) noexcept { return partitions[map.find(label)]; }
  };
  /// A partition in order.
  struct Rank {
    Fence lower;
    Partition* partition = nullptr;
  };
  /// A record whose value is still coming: where its partition has room, until there is no more
  /// of it, then in a block of its own.
  struct Begun {
    Set* set = nullptr;  // null: none
    Partition* partition = nullptr;
    Block* block = nullptr;
    std::byte* at = nullptr;
    std::size_t head_bytes = 0;  // up to the value
    std::size_t bytes = 0;
  };

  [[nodiscard]] Set& set_of(std::uint64_t db);
  [[nodiscard]] Label label_of(std::span<const std::byte> key);
  [[nodiscard]] bool accepts(const Record& record);
  /// Where the next `bytes` bytes of the label's partition are, which are counted as a record.
  [[nodiscard]] std::byte* place(Set& set, Label label, std::size_t bytes);
  [[nodiscard]] std::byte* place_slowly(Set& set, Label label, std::size_t bytes);
  void move_begun(std::size_t room);

  /// Ends the staging.
  void open(Set& set);
  [[nodiscard]] std::size_t parts_for(const Set& set) const noexcept;
  /// Deals the one partition of a set out to those between `borders`.
  void divide(Set& set, std::vector<std::vector<std::byte>> borders);

  /// Spills until there is room for `bytes` more.
  void make_room(std::size_t bytes);
  void spill_largest(std::size_t bytes);

  PartitionOptions options_;
  std::size_t stage_bytes_;
  PartitionShelf shelf_;
  std::map<std::uint64_t, Set> sets_;
  Set* last_set_ = nullptr;
  Begun begun_;
  std::vector<std::byte> label_;  // by slot
  std::vector<Rank> ranks_;
  std::atomic<std::uint64_t> split_bytes_ = 0;  // written to scratch by splits
};

}  // namespace sluice::engine
