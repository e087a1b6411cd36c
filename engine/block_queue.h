#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

namespace sluice::engine {

/// Bytes on their way from the thread that receives to the thread that parses and stores.
///
/// Memory:  at most `blocks_max` blocks of `block_bytes`, allocated as they are first needed.
/// Threads: one pushes, one pops; close() and abort() from any.
class BlockQueue {
 public:
  BlockQueue(std::size_t block_bytes, std::size_t blocks_max)
      : block_bytes_(block_bytes), blocks_max_(blocks_max) {}

  /// Copies `bytes` in; waits while the queue is full. False once abort() was called.
  [[nodiscard]] bool push(std::span<const std::byte> bytes);
  /// No more will be pushed: pop() gives what is left, then nothing.
  void close();
  /// Nobody will pop any more: push() returns false from now on.
  void abort();

  enum class Popped : std::uint8_t { block, nothing_yet, end };
  /// The next block; waits until one is full, and takes what there is after `wait`. `end` after
  /// close(), when none are left. Give the block back with recycle().
  [[nodiscard]] Popped pop(std::vector<std::byte>& block, std::chrono::milliseconds wait);
  void recycle(std::vector<std::byte> block);

 private:
  [[nodiscard]] bool has_full_block() const {
    return !filled_.empty() && filled_.front().size() == block_bytes_;
  }

  const std::size_t block_bytes_;
  const std::size_t blocks_max_;
  std::mutex mutex_;
  std::condition_variable may_push_;
  std::condition_variable may_pop_;
  std::deque<std::vector<std::byte>> filled_;
  std::vector<std::vector<std::byte>> spare_;
  std::size_t blocks_ = 0;  // in existence, wherever they are
  bool closed_ = false;
  bool aborted_ = false;
};

}  // namespace sluice::engine
