#include "engine/crew.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace sluice::engine {
namespace {

/// Those that are still at work.
class Roll {
 public:
  explicit Roll(std::size_t count) : left_(count) {}

  void leave(std::exception_ptr thrown) {
    const std::lock_guard guard(mutex_);
    if (thrown && !thrown_) thrown_ = std::move(thrown);
    if (--left_ == 0) all_left_.notify_all();
  }
  /// Whether all have left by then.
  bool wait_for(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return all_left_.wait_for(lock, time, [this] { return left_ == 0; });
  }
  [[nodiscard]] std::exception_ptr thrown() const { return thrown_; }

 private:
  std::mutex mutex_;
  std::condition_variable all_left_;
  std::size_t left_;
  std::exception_ptr thrown_;
};

}  // namespace

void run_crew(std::span<const std::function<void()>> jobs, const std::function<void()>& tick) {
  Roll roll(jobs.size());
  std::vector<std::jthread> threads;
  threads.reserve(jobs.size());
  for (const auto& job : jobs) {
    threads.emplace_back([&roll, &job] {
      std::exception_ptr thrown;
      try {
        job();
      } catch (...) {  // memory; told by who waits
        thrown = std::current_exception();
      }
      roll.leave(thrown);
    });
  }
  while (!roll.wait_for(std::chrono::milliseconds(100))) tick();
  threads.clear();
  if (roll.thrown()) std::rethrow_exception(roll.thrown());
}

}  // namespace sluice::engine
