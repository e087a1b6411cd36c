#include "engine/block_queue.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/scratch_file.h"

namespace sluice::engine {
BlockQueue::~BlockQueue() {
  if (file_ >= 0) ::close(file_);  // nobody will read it
}

bool BlockQueue::has_room() const {
  if (file_end_ > file_begin_ || !tail_.empty()) return false;  // what is there comes first
  return !spare_.empty() || blocks_ < blocks_max_ ||
         (!filled_.empty() && filled_.back().size() < block_bytes_);
}

bool BlockQueue::await_room(std::unique_lock<std::mutex>& lock) {
  if (has_room()) return true;
  const bool spooling = file_end_ > file_begin_ || !tail_.empty();
  if (overflow_ == Overflow::none || spooling || patience_left_.count() <= 0) return false;
  const auto begun = std::chrono::steady_clock::now();
  const bool found = may_push_.wait_for(lock, std::min(patience_, patience_left_),
                                        [this] { return aborted_ || has_room(); });
  patience_left_ -= std::chrono::steady_clock::now() - begun;
  return found && !aborted_;
}

bool BlockQueue::push(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    std::unique_lock lock(mutex_);
    std::size_t taken = 0;
    while (!aborted_ && taken == 0) {
      taken = await_room(lock) ? fill(bytes) : overflow(bytes);
      if (taken == 0) may_push_.wait(lock);
    }
    if (aborted_) return false;
    bytes = bytes.subspan(taken);
    // Not for each small push: waking the other thread costs more than the bytes do.
    if (has_full_block()) may_pop_.notify_one();
  }
  return true;
}

std::size_t BlockQueue::fill(std::span<const std::byte> bytes) {
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
  return taken;
}

std::size_t BlockQueue::overflow(std::span<const std::byte> bytes) {
  if (overflow_ == Overflow::none || overflow_problem_) return 0;
  if (tail_.capacity() == 0) tail_.reserve(block_bytes_);
  const std::size_t taken = std::min(bytes.size(), block_bytes_ - tail_.size());
  tail_.insert(tail_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  if (tail_.size() == block_bytes_) write_tail();
  return taken;
}

/// Under the lock: a block is a copy to the page cache, and the other side has 16 to work on.
void BlockQueue::write_tail() {
  if (file_ < 0) {
    const auto file = open_scratch();
    if (!file) {
      overflow_problem_ = file.error();
      return;
    }
    file_ = *file;
  }
  std::size_t written = 0;
  while (written < tail_.size()) {
    const auto done = ::pwrite(file_, tail_.data() + written, tail_.size() - written,
                               static_cast<::off_t>(file_end_ + written));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      overflow_problem_ = scratch_error("write", errno);
      return;  // the tail stays in memory, and comes after the file
    }
    written += static_cast<std::size_t>(done);
  }
  file_end_ += written;
  scratch_bytes_ = file_end_ - file_begin_;
  tail_.clear();
}

bool BlockQueue::read_block(std::vector<std::byte>& block) {
  if (block.capacity() < block_bytes_ && !spare_.empty()) {
    block = std::move(spare_.back());
    spare_.pop_back();
  }
  block.resize(block_bytes_);
  std::size_t got = 0;
  while (got < block_bytes_) {
    const auto done = ::pread(file_, block.data() + got, block_bytes_ - got,
                              static_cast<::off_t>(file_begin_ + got));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      error_ = scratch_error("read", done == 0 ? EIO : errno);
      aborted_ = true;
      return false;
    }
    got += static_cast<std::size_t>(done);
  }
  file_begin_ += block_bytes_;
  if (file_begin_ == file_end_) {
    file_begin_ = file_end_ = 0;
    if (::ftruncate(file_, 0) != 0) overflow_problem_ = scratch_error("empty", errno);
  }
  scratch_bytes_ = file_end_ - file_begin_;
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
  if (!filled_.empty()) {
    block = std::move(filled_.front());
    filled_.pop_front();
    return Popped::block;
  }
  if (file_blocks() > 0) {
    if (!read_block(block)) {
      may_push_.notify_one();
      return Popped::end;
    }
  } else if (!tail_.empty()) {
    block.assign(tail_.begin(), tail_.end());
    tail_.clear();
  } else {
    return closed_ ? Popped::end : Popped::nothing_yet;
  }
  may_push_.notify_one();
  return Popped::block;
}

void BlockQueue::recycle(std::vector<std::byte> block) {
  block.clear();
  const std::scoped_lock lock(mutex_);
  if (spare_.size() < blocks_) spare_.push_back(std::move(block));
  may_push_.notify_one();
}

bool BlockQueue::is_behind() const {
  const std::scoped_lock lock(mutex_);
  return filled_.size() * 2 >= blocks_max_ || file_end_ > file_begin_;
}

std::optional<Error> BlockQueue::overflow_problem() const {
  const std::scoped_lock lock(mutex_);
  return overflow_problem_;
}

std::optional<Error> BlockQueue::error() const {
  const std::scoped_lock lock(mutex_);
  return error_;
}

}  // namespace sluice::engine
