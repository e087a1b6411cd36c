#include "engine/split_borders.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/border_sample.h"

namespace sluice::engine {
namespace {

using Borders = std::vector<std::vector<std::byte>>;

constexpr std::size_t parts_max = 1024;
constexpr std::size_t samples_per_part = 32;
constexpr std::size_t label_bytes_first = 1 << 10;  // most labels are shorter
constexpr std::size_t label_bytes_factor = 16;
constexpr std::size_t peek_bytes_min = 4 << 10;
constexpr std::size_t peek_bytes_max = 64 << 10;

/// Takes some labels of each block and extent. Records within one are alike in when they arrived,
/// which may say something about their labels, so few of many are better than many of few.
class Sampling {
 public:
  Sampling(const PartitionTake& take, std::size_t parts, std::size_t label_bytes)
      : take_(take), label_bytes_(label_bytes), sample_(label_bytes) {
    const std::size_t memory_bytes = take.options.partition_bytes_max / 4;
    const std::size_t samples = std::clamp<std::size_t>(
        memory_bytes / label_bytes, 2, std::max<std::size_t>(samples_per_part * parts, 2));
    auto places = static_cast<std::size_t>(take.partition.extents);
    for (const Block* block = take.partition.full; block != nullptr; block = block->next) ++places;
    stride_ = std::max<std::size_t>(places / samples, 1);
    per_place_ = std::max<std::size_t>(samples / std::max<std::size_t>(places, 1), 1);
  }

  [[nodiscard]] BorderSample& sample() noexcept { return sample_; }

  void see_blocks() {
    for (const Block* block = take_.partition.full; block != nullptr; block = block->next) {
      if (number_++ % stride_ == 0) see({block->data(), block->used}, block->used);
    }
  }

  Result<void> see_extents() {
    constexpr std::size_t head_bytes = sizeof(ExtentFile::Head);
    const std::uint64_t record_bytes = take_.partition.bytes / take_.partition.records;
    const std::size_t wanted = std::clamp<std::size_t>(
        static_cast<std::size_t>(record_bytes) * per_place_, peek_bytes_min, peek_bytes_max);
    for (Extent extent = take_.partition.extent; extent.bytes > 0;) {
      const bool skip = number_++ % stride_ != 0;
      const std::size_t bytes = std::min<std::size_t>(
          extent.bytes, skip ? head_bytes : std::max(wanted, head_bytes + 2 * label_bytes_));
      memory_.resize(bytes);
      auto before = take_.shelf.file().peek(extent, memory_);
      if (!before) return std::unexpected(std::move(before.error()));
      if (!skip) see(std::span<const std::byte>(memory_).subspan(head_bytes), extent.bytes);
      extent = *before;
    }
    return {};
  }

 private:
  /// `bytes` begin with a record and may end within one; nothing proves them.
  void see(std::span<const std::byte> bytes, std::uint64_t weight) {
    labels_.clear();
    while (labels_.size() < per_place_ && bytes.size() >= PackedRecord::head_bytes_max) {
      const PackedRecord record(bytes.data());
      // One byte more than is kept, so that it shows that more was there.
      const std::size_t label_bytes = std::min(record.label_bytes(), label_bytes_ + 1);
      const auto rest = bytes.subspan(record.label_at());
      if (rest.size() < label_bytes) break;
      labels_.push_back(rest.first(label_bytes));
      if (record.size() >= bytes.size()) break;
      bytes = bytes.subspan(record.size());
    }
    for (const Label label : labels_) sample_.add(label, weight / labels_.size());
  }

  const PartitionTake& take_;
  std::size_t label_bytes_;
  BorderSample sample_;
  std::size_t stride_ = 1;
  std::size_t per_place_ = 1;
  std::size_t number_ = 0;  // of the next block or extent
  std::vector<std::byte> memory_;
  std::vector<Label> labels_;
};

/// The greatest label, from looking at all of them, when a sample had only one.
Result<Borders> greatest_label(const PartitionTake& take) {
  std::vector<std::byte> least;
  std::vector<std::byte> greatest;
  bool first = true;
  const auto see = [&](const PackedRecord& record) {
    const Label label = record.label();
    if (first || compare_labels(label, least) < 0) least.assign(label.begin(), label.end());
    if (first || compare_labels(greatest, label) < 0) greatest.assign(label.begin(), label.end());
    first = false;
  };
  for (const Block* block = take.partition.full; block != nullptr; block = block->next) {
    for_each_record(block->data(), block->used, see);
  }
  for (Extent extent = take.partition.extent; extent.bytes > 0;) {
    const MemoryCount count(take.shelf.gauge(), extent.bytes);
    const auto memory = std::make_unique_for_overwrite<std::byte[]>(extent.bytes);
    auto before = take.shelf.file().read(extent, {memory.get(), extent.bytes});
    if (!before) return std::unexpected(std::move(before.error()));
    constexpr std::size_t head_bytes = sizeof(ExtentFile::Head);
    for_each_record(memory.get() + head_bytes, extent.bytes - head_bytes, see);
    extent = *before;
  }
  if (least == greatest) return std::unexpected(duplicate_key(take, least));
  return Borders{std::move(greatest)};
}

}  // namespace

Result<Borders> split_borders(const PartitionTake& take) {
  // Of small records it is what their index takes that counts.
  const std::uint64_t bytes = std::max<std::uint64_t>(
      take.partition.bytes, take.partition.records * 2 * sizeof(SortedBatch::Entry));
  const std::size_t parts =
      std::min<std::uint64_t>(bytes / take.options.partition_bytes + 2, parts_max);
  for (std::size_t label_bytes = label_bytes_first;; label_bytes *= label_bytes_factor) {
    Sampling sampling(take, parts, label_bytes);
    sampling.see_blocks();
    if (auto seen = sampling.see_extents(); !seen) return std::unexpected(std::move(seen.error()));
    auto borders = sampling.sample().choose(parts);
    if (!borders.empty()) return borders;
    if (!sampling.sample().cut()) return greatest_label(take);
  }
}

}  // namespace sluice::engine
