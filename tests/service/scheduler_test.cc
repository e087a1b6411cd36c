// What a schedule makes of the time that goes by.

#include "service/scheduler.h"

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "sluice/catalog.h"
#include "tests/service/state_fixture.h"

namespace sluice::service {
namespace {

std::int64_t at(const std::string& time) { return *parse_time(time); }

class SchedulerTest : public StateFixture {
 protected:
  SchedulerTest() {
    auto config = std::make_shared<Config>();
    Policy nightly;
    nightly.name = "nightly";
    nightly.schedule.window_minutes = 0;  // at 02:00 sharp
    config->policies.push_back(nightly);
    config->repositories.push_back({.name = "main", .place = {"/nowhere"}});
    InstanceEntry instance;
    instance.name = "orders";
    instance.repository = "main";
    instance.policy = "nightly";
    config->instances.push_back(instance);
    config_ = config;
    restart();
  }

  void restart() {
    scheduler_.reset();
    policies_.reset();
    reopen();
    policies_ = std::make_unique<PolicyStore>(*database_, config_);
    scheduler_ = std::make_unique<Scheduler>(
        *database_, *policies_,
        Scheduler::Hooks{
            .submit = [this](const NewJob& job) -> Result<Job> {
              if (busy_) return std::unexpected(Error{.code = "busy", .message = "b"});
              jobs_.push_back(std::string(to_string(job.type)) + " " + job.cause);
              return Job{.what = job};
            },
            .newest_backup = [this](const std::string&) { return newest_; },
            .on_left_out = [this](const InstanceEntry&, const std::string&) { ++left_out_; }});
  }

  /// The jobs that came of a tick.
  std::vector<std::string> tick(const std::string& time) {
    jobs_.clear();
    scheduler_->tick(at(time));
    return jobs_;
  }

  using Jobs = std::vector<std::string>;
  std::shared_ptr<const Config> config_;
  std::unique_ptr<PolicyStore> policies_;
  std::unique_ptr<Scheduler> scheduler_;
  Jobs jobs_;
  bool busy_ = false;
  int left_out_ = 0;
  std::optional<std::string> newest_;
};

TEST_F(SchedulerTest, DoesNothingForWhatWasDueBeforeTheInstanceWasKnown) {
  EXPECT_EQ(tick("2026-11-25T12:00:00Z"), Jobs());
  EXPECT_EQ(tick("2026-11-26T01:59:59Z"), Jobs());
}

TEST_F(SchedulerTest, StartsOnceWhenTheTimeComes) {
  tick("2026-11-25T12:00:00Z");
  EXPECT_EQ(tick("2026-11-26T02:00:01Z"), Jobs{"backup schedule"});
  EXPECT_EQ(tick("2026-11-26T02:00:02Z"), Jobs());
  EXPECT_EQ(tick("2026-11-27T02:00:00Z"), Jobs{"backup schedule"});
}

TEST_F(SchedulerTest, KnowsAfterARestartWhatItDid) {
  tick("2026-11-25T12:00:00Z");
  tick("2026-11-26T02:00:01Z");
  restart();
  EXPECT_EQ(tick("2026-11-26T02:00:03Z"), Jobs());
}

TEST_F(SchedulerTest, MakesUpOnceForWhatWasMissed) {
  tick("2026-11-25T12:00:00Z");
  restart();
  EXPECT_EQ(tick("2026-11-29T09:00:00Z"), Jobs{"backup catch-up"}) << "four were missed";
  EXPECT_EQ(tick("2026-11-29T09:00:01Z"), Jobs());
  EXPECT_EQ(tick("2026-11-30T02:00:00Z"), Jobs{"backup schedule"});
}

TEST_F(SchedulerTest, LeavesOutWhatWouldOverlap) {
  tick("2026-11-25T12:00:00Z");
  busy_ = true;
  EXPECT_EQ(tick("2026-11-26T02:00:01Z"), Jobs());
  EXPECT_EQ(left_out_, 1);
  busy_ = false;
  EXPECT_EQ(tick("2026-11-26T02:10:00Z"), Jobs()) << "it is not made up for";
}

TEST_F(SchedulerTest, DoesNotMakeUpForWhatANewPolicyWouldHaveDone) {
  tick("2026-11-25T12:00:00Z");
  Policy policy = config_->policies.front();
  policy.schedule.start_minute = 11 * 60;
  policies_->set("orders", policy);
  scheduler_->touch("orders", at("2026-11-26T01:00:00Z"));
  EXPECT_EQ(tick("2026-11-26T01:00:01Z"), Jobs());
  EXPECT_EQ(tick("2026-11-26T02:00:01Z"), Jobs()) << "the policy of the file does not count now";
  EXPECT_EQ(tick("2026-11-26T11:00:01Z"), Jobs{"backup schedule"});
}

TEST_F(SchedulerTest, APolicyThatIsSwitchedOffDoesNothing) {
  tick("2026-11-25T12:00:00Z");
  Policy policy = config_->policies.front();
  policy.enabled = false;
  policies_->set("orders", policy);
  EXPECT_EQ(tick("2026-11-26T02:00:01Z"), Jobs());
}

TEST_F(SchedulerTest, ChecksAndDrillsHaveSchedulesOfTheirOwn) {
  Policy policy = config_->policies.front();
  policy.verify = policy.schedule;
  policy.verify->start_minute = 3 * 60;
  policy.drill = policy.schedule;
  policy.drill->start_minute = 4 * 60;
  policies_->set("orders", policy);
  tick("2026-11-25T12:00:00Z");
  tick("2026-11-26T02:00:01Z");
  EXPECT_EQ(tick("2026-11-26T03:00:01Z"), Jobs()) << "there is no backup to check";
  EXPECT_EQ(tick("2026-11-26T04:00:01Z"), Jobs{"drill schedule"});
  newest_ = "20261126T020000000Z-00000000";
  EXPECT_EQ(tick("2026-11-27T03:00:01Z"), (Jobs{"backup catch-up", "verify schedule"}));
}

}  // namespace
}  // namespace sluice::service
