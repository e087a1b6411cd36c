#include "engine/chunk_pass.h"

#include <algorithm>
#include <utility>

namespace sluice::engine {

ChunkPass::ChunkPass(const CheckContext& context, unsigned threads, std::uint32_t first,
                     const std::vector<std::uint32_t>& damaged, ChunkSums sums)
    : context_(context), first_(first), again_(damaged.size()), sums_(std::move(sums)) {
  for (const std::uint32_t chunk : damaged) slices_.push_back({.first = chunk, .end = chunk + 1});
  divide(threads);
}

/// Small enough that no thread is left alone with the last one for long.
void ChunkPass::divide(unsigned threads) {
  const storage::Backup& stored = context_.backup->stored;
  const auto size = static_cast<std::uint32_t>(stored.chunks.size());
  const std::uint64_t bytes =
      std::clamp(stored.raw_bytes / (std::uint64_t{8} * threads), slice_bytes_min, slice_bytes_max);
  for (std::uint32_t at = first_; at < size;) {
    ChunkRange slice{.first = at, .end = at};
    std::uint64_t sum = 0;
    while (slice.end < size && sum < bytes) sum += stored.chunks[slice.end++].raw_bytes;
    slices_.push_back(slice);
    at = slice.end;
  }
}

std::optional<std::size_t> ChunkPass::take() {
  const std::lock_guard guard(mutex_);
  if (taken_ == slices_.size() || error_ || context_.stop.stop_requested()) return std::nullopt;
  return taken_++;
}

void ChunkPass::give(std::size_t slice, ChunksRead read) {
  const std::lock_guard guard(mutex_);
  ahead_.emplace(slice, std::move(read));
  while (!ahead_.empty() && ahead_.begin()->first == merged_) {
    const ChunksRead& next = ahead_.begin()->second;
    sums_.add(next.sums);
    damaged_.insert(damaged_.end(), next.damaged.begin(), next.damaged.end());
    ahead_.erase(ahead_.begin());
    ++merged_;
  }
}

void ChunkPass::fail(const Error& error) {
  const std::lock_guard guard(mutex_);
  if (!error_ && error.code != "cancelled") error_ = error;
}

void ChunkPass::work() {
  std::unique_ptr<ChunkCheck> check;
  while (const auto slice = take()) {
    if (!check) {
      auto opened = ChunkCheck::open(context_);
      if (!opened) return fail(opened.error());
      check = *std::move(opened);
    }
    ChunksRead read;
    if (const auto checked = check->check(slices_[*slice], read); !checked)
      return fail(checked.error());
    give(*slice, std::move(read));
  }
}

std::uint32_t ChunkPass::next_chunk() const noexcept {
  return merged_ <= again_ ? first_ : slices_[merged_ - 1].end;
}

std::vector<std::uint32_t> ChunkPass::damaged() const {
  std::vector<std::uint32_t> all = damaged_;
  for (std::size_t i = merged_; i < again_; ++i) all.push_back(slices_[i].first);
  std::ranges::sort(all);
  return all;
}

}  // namespace sluice::engine
