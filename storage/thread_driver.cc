#include "storage/thread_driver.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::storage {
namespace {

std::int64_t perform(const IoAttempt& attempt) noexcept {
  const auto offset = static_cast<off_t>(attempt.offset);
  std::int64_t result = 0;
  switch (attempt.op) {
    case IoOp::read:
      result = ::pread(attempt.fd, attempt.buffer.data(), attempt.buffer.size(), offset);
      break;
    case IoOp::write:
      result = ::pwrite(attempt.fd, attempt.buffer.data(), attempt.buffer.size(), offset);
      break;
    case IoOp::write_back:
      result = ::sync_file_range(attempt.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
      break;
    case IoOp::sync_data: result = ::fdatasync(attempt.fd); break;
    case IoOp::sync_all: result = ::fsync(attempt.fd); break;
  }
  return result < 0 ? -errno : result;
}

/// Threads started while this lives take no signals: those are the program's business.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t every;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

class ThreadDriver final : public IoDriver {
 public:
  ThreadDriver() = default;
  ThreadDriver(const ThreadDriver&) = delete;
  ThreadDriver& operator=(const ThreadDriver&) = delete;

  /// Starts up to `threads` workers; an error only when not one could be started.
  Result<void> start_workers(unsigned threads) {
    const SignalsBlocked blocked;
    workers_.reserve(threads);
    try {
      for (unsigned i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& failed) {
      if (workers_.empty())
        return std::unexpected(Error{.code = failed.code(), .detail = "starting an I/O thread"});
    }
    return {};
  }

  ~ThreadDriver() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wanted_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  [[nodiscard]] IoKind kind() const noexcept override { return IoKind::threads; }

  bool register_blocks(std::span<std::byte> /*memory*/, std::size_t /*block_bytes*/) override {
    return false;
  }

  void start(const IoAttempt& attempt) override {
    {
      const std::lock_guard lock(mutex_);
      attempts_.push_back(attempt);
    }
    wanted_.notify_one();
  }

  [[nodiscard]] IoCompletion reap() override {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return !completions_.empty(); });
    const IoCompletion completion = completions_.front();
    completions_.pop_front();
    return completion;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wanted_.wait(lock, [this] { return stopping_ || !attempts_.empty(); });
      if (attempts_.empty()) return;
      const IoAttempt attempt = attempts_.front();
      attempts_.pop_front();
      lock.unlock();
      const std::int64_t result = perform(attempt);
      lock.lock();
      completions_.push_back({.request = attempt.request, .result = result});
      done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable done_;
  std::deque<IoAttempt> attempts_;
  std::deque<IoCompletion> completions_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;  // last: they use all of the above
};

}  // namespace

Result<std::unique_ptr<IoDriver>> make_thread_driver(unsigned threads) {
  auto driver = std::make_unique<ThreadDriver>();
  if (auto ok = driver->start_workers(threads); !ok) return std::unexpected(std::move(ok.error()));
  return driver;
}

}  // namespace sluice::storage
