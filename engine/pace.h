#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace sluice::engine {

/// Lets so many bytes a second pass, and no more than that at once after a pause.
/// Threads: one at a time.
class Pace {
 public:
  /// 0: as many as there are.
  explicit Pace(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  /// Blocks until `bytes` may go, or until it is asked to stop.
  void pass(std::uint64_t bytes, const std::stop_token& stop) {
    if (rate_ == 0) return;
    const auto now = Clock::now();
    free_at_ = std::max(free_at_, now);
    if (free_at_ > now) wait_until(free_at_, stop);
    const auto takes =
        std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(rate_));
    free_at_ += std::chrono::duration_cast<Clock::duration>(takes);
  }

 private:
  using Clock = std::chrono::steady_clock;

  static void wait_until(Clock::time_point when, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_until(lock, stop, when, [] { return false; });
  }

  std::uint64_t rate_;
  Clock::time_point free_at_{};
};

}  // namespace sluice::engine
