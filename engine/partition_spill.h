#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/block_pool.h"
#include "engine/extent_file.h"
#include "sluice/result.h"

namespace sluice::engine {

struct Partition;

/// Writes what partitions have in memory to scratch, on a thread of its own, so that whoever deals
/// records out goes on meanwhile.
///
/// Memory:  what waits counts in the gauge of the pool until it is written.
/// Errors:  the first one stays; from then on blocks are given back unwritten.
/// Threads: one, but for pending_bytes() and error(). The thread begins with the first push().
class PartitionSpill {
 public:
  /// Both must outlive this.
  PartitionSpill(BlockPool& pool, ExtentFile& file) noexcept : pool_(pool), file_(file) {}
  PartitionSpill(const PartitionSpill&) = delete;
  PartitionSpill& operator=(const PartitionSpill&) = delete;
  ~PartitionSpill() { stop(); }

  /// Takes the full blocks of `partition`, which stays where it is until finish() or stop(). Its
  /// extents are not to be looked at until then.
  void push(Partition& partition);
  /// Waits until one more of those that were pushed is written. False when all are.
  bool wait_for_one();
  /// Waits until all are written.
  void finish();
  /// What waits is given back unwritten; no more may be pushed.
  void stop() noexcept;

  /// What was pushed and is not given back yet.
  [[nodiscard]] std::size_t pending_bytes() const noexcept { return pending_bytes_; }
  [[nodiscard]] const std::optional<Error>& error() const noexcept {
    return failed_.load(std::memory_order_acquire) ? error_ : none_;
  }

 private:
  struct Job {
    Partition* partition = nullptr;
    Block* blocks = nullptr;
    std::size_t bytes = 0;
  };

  void run() noexcept;
  [[nodiscard]] Result<void> write(const Job& job) const;
  void fail(Error error) noexcept;

  BlockPool& pool_;
  ExtentFile& file_;
  std::atomic<std::size_t> pending_bytes_ = 0;
  std::atomic<bool> failed_ = false;  // error_ is written before and never again
  std::optional<Error> error_;
  const std::optional<Error> none_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable pushed_;
  std::condition_variable written_;
  std::deque<Job> jobs_;
  std::uint64_t jobs_done_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::engine
