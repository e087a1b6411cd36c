#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "sluice/result.h"

namespace sluice::engine {

/// Bytes on their way from the thread that receives to the thread that parses and stores.
///
/// With Overflow::to_scratch the one that pushes hardly waits for the one that pops: what finds no
/// room in memory within a few ms goes to a nameless file and comes back from there in its turn.
/// One that pops only a little slower so costs no detour; all those waits together are at most a
/// second. Only when that file cannot be made or grow does push() wait longer, as it always does
/// with Overflow::none.
///
/// Memory:  at most `blocks_max` blocks of `block_bytes`, allocated as they are first needed; one
///          more when they overflow. Disk: what is pushed and not popped.
/// Threads: one pushes, one pops; the rest from any.
class BlockQueue {
 public:
  enum class Overflow : std::uint8_t { none, to_scratch };

  /// `patience`: how long push() waits at once before it takes to scratch.
  BlockQueue(std::size_t block_bytes, std::size_t blocks_max, Overflow overflow = Overflow::none,
             std::chrono::nanoseconds patience = std::chrono::milliseconds(10))
      : block_bytes_(block_bytes),
        blocks_max_(blocks_max),
        overflow_(overflow),
        patience_(patience) {}
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;
  ~BlockQueue();

  /// Copies `bytes` in; waits while there is no room. False once abort() was called.
  [[nodiscard]] bool push(std::span<const std::byte> bytes);
  /// No more will be pushed: pop() gives what is left, then nothing.
  void close();
  /// Nobody will pop any more: push() returns false from now on.
  void abort();

  enum class Popped : std::uint8_t { block, nothing_yet, end };
  /// The next block; waits until one is full, and takes what there is after `wait`. `end` after
  /// close(), when none are left, and when error() is set. Give the block back with recycle().
  [[nodiscard]] Popped pop(std::vector<std::byte>& block, std::chrono::milliseconds wait);
  void recycle(std::vector<std::byte> block);

  /// How much waits to be popped, of that in scratch.
  [[nodiscard]] std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }
  /// Whether half of the blocks are waiting: who pops is falling behind.
  [[nodiscard]] bool is_behind() const;
  /// Why nothing goes to scratch any more; the queue works on.
  [[nodiscard]] std::optional<Error> overflow_problem() const;
  /// Why what is in scratch cannot be read back; pop() has ended.
  [[nodiscard]] std::optional<Error> error() const;

 private:
  [[nodiscard]] bool has_full_block() const {
    return (!filled_.empty() && filled_.front().size() == block_bytes_) || file_blocks() > 0 ||
           tail_.size() == block_bytes_;
  }
  [[nodiscard]] std::uint64_t file_blocks() const noexcept {
    return (file_end_ - file_begin_) / block_bytes_;
  }
  [[nodiscard]] bool has_room() const;
  /// Whether there is room, at once or after a wait that is worth it.
  [[nodiscard]] bool await_room(std::unique_lock<std::mutex>& lock);
  /// Bytes from the front of `bytes` that went into the last block in memory.
  [[nodiscard]] std::size_t fill(std::span<const std::byte> bytes);
  /// The same, of those that went to the file or to what goes there next. Zero: no room there.
  [[nodiscard]] std::size_t overflow(std::span<const std::byte> bytes);
  void write_tail();
  [[nodiscard]] bool read_block(std::vector<std::byte>& block);

  const std::size_t block_bytes_;
  const std::size_t blocks_max_;
  const Overflow overflow_;
  const std::chrono::nanoseconds patience_;
  mutable std::mutex mutex_;
  std::condition_variable may_push_;
  std::condition_variable may_pop_;
  std::deque<std::vector<std::byte>> filled_;  // first come those,
  std::vector<std::vector<std::byte>> spare_;
  std::size_t blocks_ = 0;  // in existence, wherever they are
  int file_ = -1;           // then the file's, whole blocks,
  std::uint64_t file_begin_ = 0;
  std::uint64_t file_end_ = 0;
  std::vector<std::byte> tail_;  // then this one, which goes there once it is full
  std::atomic<std::uint64_t> scratch_bytes_ = 0;
  std::optional<Error> overflow_problem_;
  std::optional<Error> error_;
  std::chrono::nanoseconds patience_left_ = std::chrono::seconds(1);
  bool closed_ = false;
  bool aborted_ = false;
};

}  // namespace sluice::engine
