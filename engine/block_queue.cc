#include "engine/block_queue.h"

#include <algorithm>
#include <utility>

namespace sluice::engine {

bool BlockQueue::push(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    std::unique_lock lock(mutex_);
    const auto has_room = [this] {
      return aborted_ || !spare_.empty() || blocks_ < blocks_max_ ||
             (!filled_.empty() && filled_.back().size() < block_bytes_);
    };
    may_push_.wait(lock, has_room);
    if (aborted_) return false;
    if (filled_.empty() || filled_.back().size() == block_bytes_) {
      if (spare_.empty()) {
        filled_.emplace_back().reserve(block_bytes_);
        ++blocks_;
      } else {
        filled_.push_back(std::move(spare_.back()));
        spare_.pop_back();
      }
    }
    std::vector<std::byte>& block = filled_.back();
    const std::size_t taken = std::min(bytes.size(), block_bytes_ - block.size());
    block.insert(block.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    bytes = bytes.subspan(taken);
    // Not for each small push: waking the other thread costs more than the bytes do.
    if (block.size() == block_bytes_) may_pop_.notify_one();
  }
  return true;
}

void BlockQueue::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  may_pop_.notify_all();
}

void BlockQueue::abort() {
  const std::scoped_lock lock(mutex_);
  aborted_ = true;
  may_push_.notify_all();
}

BlockQueue::Popped BlockQueue::pop(std::vector<std::byte>& block, std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  may_pop_.wait_for(lock, wait, [this] { return closed_ || has_full_block(); });
  if (filled_.empty()) return closed_ ? Popped::end : Popped::nothing_yet;
  block = std::move(filled_.front());
  filled_.pop_front();
  return Popped::block;
}

void BlockQueue::recycle(std::vector<std::byte> block) {
  block.clear();
  const std::scoped_lock lock(mutex_);
  spare_.push_back(std::move(block));
  may_push_.notify_one();
}

}  // namespace sluice::engine
