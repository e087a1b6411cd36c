#include "engine/partition_sets.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/slot_loads.h"

namespace sluice::engine {
namespace {

constexpr std::size_t stage_bytes_max = 8 << 20;
constexpr std::size_t memory_bytes_min = 64 << 10;

std::size_t table_bytes(const std::vector<Partition>& partitions) {
  return partitions.capacity() * sizeof(Partition);
}

/// Keeps at most `count`, evenly.
void thin_out(std::vector<Fence>& fences, std::size_t count) {
  if (fences.size() <= count) return;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t from = i * fences.size() / count;
    if (from != i) fences[i] = std::move(fences[from]);
  }
  fences.resize(count);
}

Error too_long() {
  return {.stage = Stage::engine,
          .code = "record_too_long",
          .message =
              "a key or a value of 4 GiB or more cannot be sorted; `--layout stream` keeps "
              "such a file as it is"};
}

}  // namespace

PartitionSets::PartitionSets(const PartitionOptions& options, std::vector<Fence> fences,
                             MemoryGauge* whole)
    : options_(options),
      stage_bytes_(std::min(options.memory_bytes / 8, stage_bytes_max)),
      shelf_(std::max(options.memory_bytes, memory_bytes_min), whole) {
  options_.memory_bytes = std::max(options.memory_bytes, memory_bytes_min);
  options_.partition_bytes = std::max<std::size_t>(options.partition_bytes, 1);
  thin_out(fences, shelf_.partitions_max());
  for (std::size_t i = 0; i < fences.size();) {
    const std::uint64_t db = fences[i].db;
    std::vector<std::vector<std::byte>> borders;
    for (; i < fences.size() && fences[i].db == db; ++i) {
      std::vector<std::byte>& label = fences[i].label;
      const bool ascends = borders.empty() ? !label.empty() : borders.back() < label;
      if (ascends) borders.push_back(std::move(label));
    }
    Set& set = set_of(db);
    if (set.staged && !borders.empty()) divide(set, std::move(borders));
  }
}

PartitionSets::~PartitionSets() {
  shelf_.stop_spills();
  drop();
  for (auto& [db, set] : sets_) {
    for (Partition& partition : set.partitions) {
      PartitionShelf::close(partition);
      shelf_.release(partition);
    }
    shelf_.gauge().sub(table_bytes(set.partitions) + set.map.memory_bytes());
  }
}

PartitionSets::Set& PartitionSets::set_of(std::uint64_t db) {
  if (last_set_ != nullptr && last_set_->db == db) return *last_set_;
  const auto [place, made] = sets_.try_emplace(db);
  last_set_ = &place->second;
  if (made) {
    last_set_->db = db;
    shelf_.gauge().add(table_bytes(last_set_->partitions));
  }
  return *last_set_;
}

Label PartitionSets::label_of(std::span<const std::byte> key) {
  if (!options_.by_slot) return key;
  bool has_tag = false;
  const std::uint16_t slot = key_slot(key, has_tag);
  label_.resize(2 + key.size());
  label_[0] = static_cast<std::byte>(slot >> 8);
  label_[1] = static_cast<std::byte>(slot & 0xff);
  std::ranges::copy(key, label_.begin() + 2);
  return label_;
}

bool PartitionSets::accepts(const Record& record) {
  if (shelf_.error()) return false;
  if (PackedRecord::fits(record)) return true;
  shelf_.fail(too_long());
  return false;
}

void PartitionSets::add(std::uint64_t db, const Record& record) {
  if (!accepts(record)) return;
  const Label label = label_of(record.key);
  const std::size_t bytes = PackedRecord::size_of(record, label);
  PackedRecord::pack(record, label, place(set_of(db), label, bytes));
}

void PartitionSets::add_packed(std::uint64_t db, const PackedRecord& record) {
  if (shelf_.error()) return;
  const std::size_t bytes = record.size();
  std::memcpy(place(set_of(db), record.label(), bytes), record.at(), bytes);
}

std::byte* PartitionSets::place(Set& set, Label label, std::size_t bytes) {
  Partition& partition = set.find(label);
  if (partition.room() < bytes) [[unlikely]] {
    return place_slowly(set, label, bytes);
  }
  ++partition.records;
  partition.bytes += bytes;
  return std::exchange(partition.at, partition.at + bytes);
}

std::byte* PartitionSets::place_slowly(Set& set, Label label, std::size_t bytes) {
  if (set.staged && set.partitions.front().bytes >= stage_bytes_) open(set);
  Partition& partition = set.find(label);
  const bool large = bytes > shelf_.common_bytes_max();
  if (large) {
    make_room(sizeof(Block) + bytes);
  } else if (partition.room() < bytes) {
    make_room(shelf_.pool().block_bytes());
  }
  ++partition.records;
  partition.bytes += bytes;
  if (large) {
    Block* const block = shelf_.pool().take_large(bytes);
    block->used = bytes;
    PartitionShelf::attach(partition, block);
    return block->data();
  }
  if (partition.room() < bytes) shelf_.renew(partition);
  return std::exchange(partition.at, partition.at + bytes);
}

void PartitionSets::begin(std::uint64_t db, const Record& record) {
  assert(begun_.set == nullptr);
  Record head = record;
  head.value = {};
  if (!accepts(head)) return;
  const Label label = label_of(head.key);
  const std::size_t bytes = PackedRecord::size_of(head, label);
  Set& set = set_of(db);
  if (set.staged && set.partitions.front().bytes >= stage_bytes_) open(set);
  Partition& partition = set.find(label);
  begun_ = {.set = &set, .partition = &partition, .head_bytes = bytes, .bytes = bytes};
  begun_.at = partition.at;
  if (partition.room() < bytes) move_begun(std::max(bytes, shelf_.pool().block_bytes()));
  PackedRecord::pack(head, label, begun_.at);
}

/// What was copied so far moves to a block of its own with room for `room` bytes.
void PartitionSets::move_begun(std::size_t room) {
  if (begun_.block != nullptr) {
    begun_.block = shelf_.pool().resize_large(begun_.block, room);
  } else {
    begun_.block = shelf_.pool().take_large(room);
    if (begun_.at != nullptr) std::memcpy(begun_.block->data(), begun_.at, begun_.bytes);
  }
  begun_.at = begun_.block->data();
  make_room(0);
}

void PartitionSets::append(std::span<const std::byte> part) {
  if (begun_.set == nullptr || part.empty()) return;
  const std::size_t bytes = begun_.bytes + part.size();
  if (bytes - begun_.head_bytes >= PackedRecord::field_bytes_max) {
    shelf_.fail(too_long());
    return drop();
  }
  const std::size_t room = begun_.block != nullptr ? begun_.block->room : begun_.partition->room();
  if (room < bytes) move_begun(std::max(2 * bytes, shelf_.pool().block_bytes()));
  std::memcpy(begun_.at + begun_.bytes, part.data(), part.size());
  begun_.bytes = bytes;
}

std::span<std::byte> PartitionSets::begun_value() noexcept {
  if (begun_.set == nullptr) return {};
  return {begun_.at + begun_.head_bytes, begun_.bytes - begun_.head_bytes};
}

void PartitionSets::end() {
  if (begun_.set == nullptr) return;
  const Begun begun = std::exchange(begun_, {});
  PackedRecord::set_value_bytes(begun.at, begun.bytes - begun.head_bytes);
  if (begun.block != nullptr && begun.bytes <= shelf_.common_bytes_max()) {
    std::byte* const into = place(*begun.set, PackedRecord(begun.at).label(), begun.bytes);
    std::memcpy(into, begun.at, begun.bytes);
    return shelf_.pool().give(begun.block);
  }
  ++begun.partition->records;
  begun.partition->bytes += begun.bytes;
  if (begun.block == nullptr) {
    begun.partition->at += begun.bytes;
    return;
  }
  Block* const block = shelf_.pool().resize_large(begun.block, begun.bytes);
  block->used = begun.bytes;
  PartitionShelf::attach(*begun.partition, block);
  make_room(0);
}

void PartitionSets::drop() {
  if (begun_.block != nullptr) shelf_.pool().give(begun_.block);
  begun_ = {};
}

void PartitionSets::make_room(std::size_t bytes) {
  const std::size_t memory_bytes = options_.memory_bytes;
  const auto fits = [&](std::size_t limit) { return shelf_.gauge().now() + bytes <= limit; };
  // What is being written is as good as free, so it begins before all is used up.
  if (!fits(memory_bytes / 16 * 15 + shelf_.spilling_bytes())) spill_largest(bytes);
  while (!fits(memory_bytes) && shelf_.wait_for_spill()) {
  }
}

void PartitionSets::spill_largest(std::size_t bytes) {
  struct Candidate {
    int order;  // what is staged later, what is being staged last
    std::uint64_t memory_bytes;
    Set* set;
    Partition* partition;
  };
  std::vector<Candidate> candidates;
  for (auto& [db, set] : sets_) {
    const int order = !set.staged ? 0 : (&set == last_set_ ? 2 : 1);
    for (Partition& partition : set.partitions) {
      if (partition.memory_bytes == 0) continue;
      candidates.push_back({order, partition.memory_bytes, &set, &partition});
    }
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.order != b.order ? a.order < b.order : a.memory_bytes > b.memory_bytes;
  });
  const std::size_t limit = options_.memory_bytes / 16 * 13;
  for (const Candidate& candidate : candidates) {
    if (shelf_.gauge().now() + bytes <= limit + shelf_.spilling_bytes()) break;
    candidate.set->staged = false;
    shelf_.spill(*candidate.partition);
  }
}

void PartitionSets::spill_all() {
  for (auto& [db, set] : sets_) {
    for (Partition& partition : set.partitions) shelf_.spill(partition);
  }
}

Result<void> PartitionSets::finish() {
  drop();
  shelf_.finish_spills();
  for (auto& [db, set] : sets_) {
    for (std::size_t i = 0; i < set.partitions.size(); ++i) {
      Partition& partition = set.partitions[i];
      PartitionShelf::close(partition);
      if (partition.records == 0) continue;
      Fence lower{.db = db, .label = {}};
      if (i > 0) lower.label = set.map.border(i);
      ranks_.push_back({.lower = std::move(lower), .partition = &partition});
    }
  }
  if (const auto& failed = shelf_.error()) return std::unexpected(*failed);
  return {};
}

PartitionStats PartitionSets::stats() const noexcept {
  PartitionStats stats;
  for (const auto& [db, set] : sets_) {
    for (const Partition& partition : set.partitions) {
      stats.records += partition.records;
      stats.bytes += partition.bytes;
    }
  }
  stats.spilled_bytes = shelf_.file().written_bytes() + split_bytes_;
  stats.memory_peak_bytes = shelf_.gauge().peak();
  return stats;
}

}  // namespace sluice::engine
