// Which jobs run beside which, and what becomes of those that do not end by themselves.

#include "service/job_runner.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "tests/service/state_fixture.h"

namespace sluice::service {
namespace {

using namespace std::chrono_literals;

class JobRunnerTest : public StateFixture {
 protected:
  JobRunnerTest() : store_(std::make_unique<JobStore>(*database_)) { restart(); }
  ~JobRunnerTest() override {
    open_all();
    runner_.reset();
  }

  void restart() {
    runner_ = std::make_unique<JobRunner>(
        *store_,
        JobRunner::Hooks{.work = [this](const Job& job,
                                        const JobContext& context) { return work(job, context); },
                         .memory_of = [this](const Job&) { return memory_.load(); },
                         .on_change = [](std::int64_t) {},
                         .on_finished = [this](const Job&, const JobOutcome&) { ++finished_; },
                         .on_fault = [](const std::string& what) { ADD_FAILURE() << what; }});
    runner_->set_limits({.jobs = 3, .memory_bytes = 100});
    runner_->start();
  }

  /// Runs until the gate is opened, or it is to stop.
  JobOutcome work(const Job& job, const JobContext& context) {
    std::unique_lock lock(mutex_);
    running_.insert(job.id);
    changed_.notify_all();
    changed_.wait(lock, context.stop, [this] { return open_; });
    running_.erase(job.id);
    changed_.notify_all();
    return {.state = std::string(context.stop.stop_requested() ? job_state::cancelled
                                                               : job_state::done)};
  }

  std::int64_t submit(JobType type, const std::string& instance) {
    const auto job = runner_->submit({.type = type, .instance = instance, .repository = "main"});
    EXPECT_TRUE(job) << job.error().message;
    return job ? job->id : 0;
  }

  void open_all() {
    const std::lock_guard guard(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  bool wait_until(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  bool wait_for_running(std::size_t count) {
    return wait_until([&] { return running() == count; });
  }
  std::size_t running() {
    const std::lock_guard guard(mutex_);
    return running_.size();
  }
  bool wait_for_end(std::int64_t id) {
    return wait_until([&] { return store_->find(id)->is_over(); });
  }

  std::unique_ptr<JobStore> store_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool open_ = false;
  std::set<std::int64_t> running_;
  std::atomic<std::uint64_t> memory_ = 10;
  std::atomic<int> finished_ = 0;
  std::unique_ptr<JobRunner> runner_;
};

TEST_F(JobRunnerTest, RunsAsManyAsAreAllowed) {
  for (const char* name : {"a", "b", "c", "d"}) submit(JobType::backup, name);
  ASSERT_TRUE(wait_for_running(3));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(running(), 3u);
  open_all();
  EXPECT_TRUE(wait_until([&] { return finished_ == 4; }));
}

TEST_F(JobRunnerTest, RunsNoMoreThanFitIntoMemory) {
  memory_ = 50;
  for (const char* name : {"a", "b", "c"}) submit(JobType::backup, name);
  ASSERT_TRUE(wait_for_running(2));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(runner_->load().memory_bytes, 100u);
  EXPECT_EQ(running(), 2u);
  open_all();
  EXPECT_TRUE(wait_until([&] { return finished_ == 3; }));
}

TEST_F(JobRunnerTest, OneThatIsLargerThanAllMemoryRunsAlone) {
  memory_ = 1000;
  submit(JobType::backup, "a");
  submit(JobType::backup, "b");
  ASSERT_TRUE(wait_for_running(1));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(running(), 1u);
  open_all();
  EXPECT_TRUE(wait_until([&] { return finished_ == 2; }));
}

TEST_F(JobRunnerTest, HasOneTaskAtATimeForAnInstanceButReadsBesideIt) {
  submit(JobType::backup, "a");
  const auto waits = submit(JobType::verify, "a");
  submit(JobType::plan, "a");
  ASSERT_TRUE(wait_for_running(2));
  EXPECT_EQ(store_->find(waits)->state, job_state::queued);
  open_all();
  EXPECT_TRUE(wait_for_end(waits));
}

TEST_F(JobRunnerTest, RefusesTheSameJobTwice) {
  submit(JobType::backup, "a");
  const auto again =
      runner_->submit({.type = JobType::backup, .instance = "a", .repository = "main"});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "busy");
  submit(JobType::backup, "b");
}

TEST_F(JobRunnerTest, WaitsUntilAJobIsDue) {
  const auto job = runner_->submit(
      {.type = JobType::backup, .instance = "a", .repository = "main", .not_before_ms = INT64_MAX});
  ASSERT_TRUE(job);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(running(), 0u);
  EXPECT_TRUE(runner_->cancel(job->id));
  EXPECT_EQ(store_->find(job->id)->state, job_state::cancelled);
}

TEST_F(JobRunnerTest, CancelsWhatRuns) {
  const auto job = submit(JobType::backup, "a");
  ASSERT_TRUE(wait_for_running(1));
  EXPECT_TRUE(runner_->cancel(job));
  ASSERT_TRUE(wait_for_end(job));
  EXPECT_EQ(store_->find(job)->state, job_state::cancelled);
  EXPECT_FALSE(runner_->cancel(job));
}

TEST_F(JobRunnerTest, WhatTheEndOfTheServiceCancelledIsInterrupted) {
  const auto ran = submit(JobType::backup, "a");
  const auto waited = runner_->submit(
      {.type = JobType::backup, .instance = "b", .repository = "main", .not_before_ms = INT64_MAX});
  ASSERT_TRUE(wait_for_running(1));
  runner_.reset();
  const auto interrupted = store_->interrupt_running(1);
  ASSERT_EQ(interrupted.size(), 1u);
  EXPECT_EQ(interrupted.front().id, ran);
  EXPECT_EQ(store_->find(ran)->state, job_state::interrupted);
  EXPECT_NE(store_->find(ran)->error->find("the service ended meanwhile"), std::string::npos);
  EXPECT_EQ(store_->find(waited->id)->state, job_state::queued);
}

}  // namespace
}  // namespace sluice::service
