#include "service/job_runner.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <exception>

#include "service/text.h"
#include "sluice/result.h"

namespace sluice::service {
namespace {

constexpr std::chrono::milliseconds look_interval(500);
/// Added to the niceness of threads that do jobs, so that the API answers while they work.
constexpr int niceness = 10;
constexpr std::size_t notices_max = 100;
constexpr std::chrono::seconds state_retry_interval(5);

JobOutcome failed_by(const std::exception& problem) {
  const Error error{
      .stage = Stage::engine,
      .code = "fault",
      .message = fmt::format("{}; this is a fault of sluice, please report it", problem.what())};
  return {.state = std::string(job_state::failed),
          .error = to_json(error),
          .result = {},
          .backup = {},
          .notices = {}};
}

}  // namespace

/// A job under way.
class JobRunner::Running : public Observer {
 public:
  Running(Job what, std::uint64_t bytes) : job(std::move(what)), memory(bytes) {}

  void on_progress(const Progress& progress) override {
    const std::lock_guard guard(mutex_);
    progress_.phase = progress.phase;
    progress_.bytes = progress.bytes;
    progress_.bytes_total = progress.bytes_total;
    progress_.keys = progress.keys;
    progress_.seconds = progress.seconds;
    ++progress_.version;
  }
  void on_notice(std::string_view text) override {
    const std::lock_guard guard(mutex_);
    if (progress_.notices.size() < notices_max) progress_.notices.emplace_back(text);
    ++progress_.version;
  }
  [[nodiscard]] JobProgress progress() const {
    const std::lock_guard guard(mutex_);
    return progress_;
  }

  const Job job;
  const std::uint64_t memory;
  std::stop_source stop;
  std::thread thread;

 private:
  mutable std::mutex mutex_;
  JobProgress progress_;
};

JobRunner::JobRunner(JobStore& store, Hooks hooks) : store_(store), hooks_(std::move(hooks)) {}

JobRunner::~JobRunner() {
  dispatcher_ = {};  // asks it to stop, and waits
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (auto& [id, running] : running_) running->stop.request_stop();
  wake_.wait(lock, [this] { return running_.empty(); });
  lock.unlock();
  reap();
}

void JobRunner::set_limits(const Limits& limits) {
  const std::lock_guard guard(mutex_);
  limits_ = limits;
  look_again_ = true;
  wake_.notify_all();
}

void JobRunner::start() {
  dispatcher_ = std::jthread([this](const std::stop_token& stop) { dispatch(stop); });
}

Result<Job> JobRunner::submit(const NewJob& job) {
  auto added = store_.add(job);
  if (!added) return added;
  hooks_.on_change(added->id);
  const std::lock_guard guard(mutex_);
  look_again_ = true;
  wake_.notify_all();
  return added;
}

bool JobRunner::cancel(std::int64_t id) {
  if (store_.cancel_queued(id, now_ms())) {
    hooks_.on_change(id);
    return true;
  }
  const std::lock_guard guard(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return false;
  found->second->stop.request_stop();
  return true;
}

std::optional<JobProgress> JobRunner::progress(std::int64_t id) const {
  const std::lock_guard guard(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return std::nullopt;
  return found->second->progress();
}

JobRunner::Load JobRunner::load() const {
  const std::lock_guard guard(mutex_);
  return {.running = static_cast<unsigned>(running_.size()), .memory_bytes = memory_used_};
}

void JobRunner::dispatch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    reap();
    try {
      start_some();
    } catch (const std::exception& problem) {
      hooks_.on_fault(problem.what());
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, look_interval, [this] { return look_again_; });
    look_again_ = false;
  }
}

void JobRunner::start_some() {
  for (const Job& job : store_.queued()) {
    if (job.what.not_before_ms > now_ms()) continue;
    const std::uint64_t memory = hooks_.memory_of(job);
    std::unique_lock lock(mutex_);
    if (running_.size() >= limits_.jobs) return;
    // Nobody overtakes one that waits for memory, or it would wait for ever.
    if (memory_used_ > 0 && memory_used_ + memory > limits_.memory_bytes) return;
    if (!may_start(job)) continue;
    lock.unlock();
    if (store_.start(job.id, now_ms())) launch(job, memory);
  }
}

bool JobRunner::may_start(const Job& job) const {
  if (only_reads(job.what.type)) return true;
  for (const auto& [id, running] : running_) {
    const NewJob& other = running->job.what;
    if (only_reads(other.type) || other.repository != job.what.repository) continue;
    if (other.instance == job.what.instance) return false;
  }
  return true;
}

void JobRunner::launch(const Job& job, std::uint64_t memory) {
  auto running = std::make_unique<Running>(job, memory);
  Running& started = *running;
  {
    const std::lock_guard guard(mutex_);
    memory_used_ += memory;
    running_.emplace(job.id, std::move(running));
    started.thread = std::thread([this, &started] { run(started); });
  }
  hooks_.on_change(job.id);
}

void JobRunner::run(Running& running) {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
  JobOutcome outcome;
  try {
    outcome = hooks_.work(running.job, {.observer = &running, .stop = running.stop.get_token()});
  } catch (const std::exception& problem) {
    outcome = failed_by(problem);
  }
  outcome.notices = running.progress().notices;
  settle(running.job, outcome);
  ::malloc_trim(0);
  const std::lock_guard guard(mutex_);
  memory_used_ -= running.memory;
  const auto found = running_.find(running.job.id);
  over_.push_back(std::move(found->second));
  running_.erase(found);
  look_again_ = true;
  wake_.notify_all();
}

void JobRunner::settle(const Job& job, const JobOutcome& outcome) {
  while (true) {
    try {
      return finish(job, outcome);
    } catch (const std::exception& problem) {
      hooks_.on_fault(problem.what());
    }
    std::unique_lock lock(mutex_);
    if (stopping_) return;  // the next start finds it running, hence interrupted
    wake_.wait_for(lock, state_retry_interval);
  }
}

void JobRunner::finish(const Job& job, const JobOutcome& outcome) {
  {
    const std::lock_guard guard(mutex_);
    if (stopping_ && outcome.state == job_state::cancelled) return;
  }
  store_.finish(job.id, now_ms(), outcome);
  hooks_.on_change(job.id);
  hooks_.on_finished(job, outcome);
}

void JobRunner::reap() {
  std::vector<std::unique_ptr<Running>> over;
  {
    const std::lock_guard guard(mutex_);
    over.swap(over_);
  }
  for (const auto& running : over) running->thread.join();
}

}  // namespace sluice::service
