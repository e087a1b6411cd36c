#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "service/job.h"
#include "service/job_store.h"
#include "sluice/job.h"

namespace sluice::service {

/// How far a running job is.
struct JobProgress {
  std::string phase = {};
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> bytes_total = {};
  std::uint64_t keys = 0;
  double seconds = 0;
  std::vector<std::string> notices = {};
  std::uint64_t version = 0;  ///< Grows with each change.
};

/// Runs queued jobs: so many at once as fit into memory, each on a thread of its own, one after
/// another of an instance, oldest first.
///
/// Threads: any may call. `work`, `memory_of` and `on_change` are called on threads of the runner.
class JobRunner {
 public:
  struct Limits {
    unsigned jobs = 8;
    std::uint64_t memory_bytes = 384ULL << 20;
  };
  struct Hooks {
    /// Does a job; blocks. Throws nothing.
    std::function<JobOutcome(const Job&, const JobContext&)> work;
    /// What a job will take, bytes.
    std::function<std::uint64_t(const Job&)> memory_of;
    /// A job was queued, started or is over: its state is written already.
    std::function<void(std::int64_t id)> on_change;
    /// A job is over; after on_change, on its thread, before the next of its instance begins.
    std::function<void(const Job&, const JobOutcome&)> on_finished;
    /// The state cannot be read or written now: it is tried again.
    std::function<void(const std::string& what)> on_fault;
  };

  JobRunner(JobStore& store, Hooks hooks);
  /// Cancels what runs, and waits for it. What was queued stays so; what was cancelled by this
  /// stays "running", which is what JobStore::interrupt_running() looks for in the next start.
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  void set_limits(const Limits& limits);
  void start();

  /// Errors: as JobStore::add().
  [[nodiscard]] Result<Job> submit(const NewJob& job);
  /// Whether it was queued or running.
  bool cancel(std::int64_t id);
  [[nodiscard]] std::optional<JobProgress> progress(std::int64_t id) const;
  struct Load {
    unsigned running = 0;
    std::uint64_t memory_bytes = 0;  ///< Set aside for these.
  };
  [[nodiscard]] Load load() const;

 private:
  class Running;

  void dispatch(const std::stop_token& stop);
  /// Starts what may start; under the lock.
  void start_some();
  [[nodiscard]] bool may_start(const Job& job) const;
  void launch(const Job& job, std::uint64_t memory);
  void run(Running& running);
  /// finish(), until the state takes it.
  void settle(const Job& job, const JobOutcome& outcome);
  void finish(const Job& job, const JobOutcome& outcome);
  void reap();

  JobStore& store_;
  Hooks hooks_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  bool look_again_ = false;
  bool stopping_ = false;
  Limits limits_;
  std::uint64_t memory_used_ = 0;
  std::map<std::int64_t, std::unique_ptr<Running>> running_;
  std::vector<std::unique_ptr<Running>> over_;
  std::jthread dispatcher_;
};

}  // namespace sluice::service
