#include "service/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "service/json.h"
#include "service/text.h"

namespace sluice::service {
namespace {

constexpr std::chrono::milliseconds tick_interval(500);
/// What is overdue is looked for once in so many ticks.
constexpr unsigned ticks_per_look = 20;
/// Backups that others take are noticed so often.
constexpr std::chrono::minutes refresh_interval(10);
/// Retention waits for so long after a backup, so that one run does for many.
constexpr std::int64_t prune_delay_ms = 60'000;
constexpr std::int64_t retry_delay_max_ms = 6LL * 3600 * 1000;
constexpr std::string_view first_seen_name = "first_seen:";

}  // namespace

Core::Core(std::unique_ptr<Database> database, std::shared_ptr<const Config> config,
           std::string version, Log log)
    : database_(std::move(database)),
      version_(std::move(version)),
      log_(std::move(log)),
      policies(*database_, std::move(config)),
      jobs(*database_),
      clones(*database_),
      drills(*database_),
      accounts(*database_),
      audit(*database_),
      metrics(version_, now_ms()),
      notifier_(policies.config()->notify, [this](const std::string& line) { log_(line); }),
      watch_(*this),
      work_(*database_, policies, catalog),
      config_read_ms_(now_ms()),
      runner(jobs, {.work = [this](const Job& job,
                                   const JobContext& context) { return work(job, context); },
                    .memory_of = [this](const Job& job) { return work_.memory_of(job); },
                    .on_change = [this](std::int64_t id) { events.job_changed(id); },
                    .on_finished = [this](const Job& job,
                                          const JobOutcome& outcome) { on_finished(job, outcome); },
                    .on_fault = [this](const std::string& what) { log_(what); }}),
      scheduler_(*database_, policies,
                 {.submit = [this](const NewJob& job) { return submit(job); },
                  .newest_backup =
                      [this](const std::string& instance) {
                        const auto newest = catalog.newest(instance);
                        return newest ? std::optional(newest->backup.id) : std::nullopt;
                      },
                  .on_left_out =
                      [this](const InstanceEntry& instance, const std::string& what) {
                        log_(fmt::format("{}: left out: {}", instance.name, what));
                      }}) {}

Core::~Core() { clock_ = {}; }

void Core::start() {
  work_.take_back_left();
  note_first_seen();
  refresh_all();
  for (const Job& job : jobs.interrupt_running(now_ms())) {
    log_(fmt::format("job {} ({} of {}) was interrupted", job.id, to_string(job.what.type),
                     job.what.instance));
    if (is_repeatable(job.what.type)) static_cast<void>(try_again(job, 0));
  }
  const auto now = config();
  runner.set_limits({.jobs = now->jobs, .memory_bytes = now->memory_bytes});
  runner.start();
  clock_ = std::jthread([this](const std::stop_token& stop) { keep_time(stop); });
}

void Core::reload(std::shared_ptr<const Config> config) {
  policies.set_config(config);
  runner.set_limits({.jobs = config->jobs, .memory_bytes = config->memory_bytes});
  notifier_.replace(config->notify);
  config_ok_ = true;
  config_read_ms_ = now_ms();
  note_first_seen();
  refresh_wanted_ = true;
}

Result<Job> Core::submit(const NewJob& job) {
  auto added = runner.submit(job);
  if (added && !job.instance.empty()) events.instance_changed(job.instance);
  return added;
}

void Core::refresh(const std::string& repository, const std::optional<std::string>& instance) {
  const auto now = config();
  const RepositoryEntry* entry = now->repository(repository);
  if (entry == nullptr) return;
  if (const auto listed = catalog.refresh(repository, entry->place, instance); !listed)
    log_(fmt::format("repository {}: {}", repository, listed.error().message));
  if (instance) events.instance_changed(*instance);
}

void Core::set_policy(const std::string& instance, const Policy& policy) {
  policies.set(instance, policy);
  scheduler_.touch(instance, now_ms());
  events.instance_changed(instance);
}

void Core::reset_policy(const std::string& instance) {
  policies.reset(instance);
  scheduler_.touch(instance, now_ms());
  events.instance_changed(instance);
}

std::string Core::origin_of(const std::string& backup) {
  Database::Reading reading(*database_);
  auto row = reading.statement("SELECT cause FROM origins WHERE backup = ?");
  row.bind(backup);
  if (!row.step()) return "unknown";
  return row.text(0) == job_cause::manual ? "manual" : "automatic";
}

std::optional<std::string> Core::analysis_of(const std::string& backup) {
  Database::Reading reading(*database_);
  auto row = reading.statement("SELECT result FROM analyses WHERE backup = ?");
  row.bind(backup);
  if (!row.step()) return std::nullopt;
  return row.text(0);
}

std::optional<std::int64_t> Core::first_seen(const std::string& instance) {
  Database::Reading reading(*database_);
  auto row = reading.statement("SELECT value FROM meta WHERE name = ?");
  row.bind(std::string(first_seen_name) + instance);
  if (!row.step()) return std::nullopt;
  return row.number(0);
}

void Core::note_first_seen() {
  const auto now = config();
  Database::Writing writing(*database_);
  for (const InstanceEntry& instance : now->instances) {
    writing.statement("INSERT OR IGNORE INTO meta(name, value) VALUES(?, ?)")
        .bind(std::string(first_seen_name) + instance.name)
        .bind(now_ms())
        .run();
  }
  writing.commit();
}

std::string Core::metrics_text() { return metrics.text(watch_.state(now_ms())); }

void Core::fill(ServiceState& state) const {
  state.config_ok = config_ok_;
  state.config_read_ms = config_read_ms_;
  state.notifications = notifier_.counts();
}

void Core::tell(const Event& event) {
  log_(fmt::format("{}: {}: {}", event.name, event.instance, event.message));
  notifier_.tell(event);
}

bool Core::is_news(const std::string& kind, std::int64_t at_ms) {
  const std::string name = "told:" + kind;
  Database::Writing writing(*database_);
  {
    auto told = writing.statement("SELECT 1 FROM meta WHERE name = ? AND value = ?");
    told.bind(name).bind(std::to_string(at_ms));
    if (told.step()) return false;
  }
  writing.statement("INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)")
      .bind(name)
      .bind(std::to_string(at_ms))
      .run();
  writing.commit();
  return true;
}

Policy Core::policy_of(const std::string& instance) const {
  const auto now = config();
  const InstanceEntry* entry = now->instance(instance);
  if (entry == nullptr) return {};
  return policies.of(*entry).policy.value_or(Policy());
}

bool Core::try_again(const Job& job, std::int64_t delay_ms) {
  if (job.what.attempt > policy_of(job.what.instance).retries) return false;
  NewJob again = job.what;
  again.cause = job_cause::retry;
  again.attempt = job.what.attempt + 1;
  again.retry_of = job.what.retry_of.value_or(job.id);
  again.not_before_ms = now_ms() + delay_ms;
  return submit(again).has_value();
}

JobOutcome Core::work(const Job& job, const JobContext& context) {
  JobOutcome outcome = work_(job, context);
  const NewJob& what = job.what;
  const bool writes_backups = what.type == JobType::backup || what.type == JobType::verify ||
                              what.type == JobType::remove || what.type == JobType::prune;
  if (writes_backups) {
    refresh(what.repository, what.instance.empty() ? std::nullopt : std::optional(what.instance));
  }
  return outcome;
}

void Core::on_finished(const Job& job, const JobOutcome& outcome) {
  const NewJob& what = job.what;
  const bool good = outcome.state == job_state::done;
  if (what.type == JobType::backup && good) {
    static_cast<void>(submit({.type = JobType::prune,
                              .instance = {},
                              .repository = what.repository,
                              .cause = std::string(job_cause::schedule),
                              .not_before_ms = now_ms() + prune_delay_ms}));
  }
  if (!good) {
    log_(fmt::format("job {} ({} of {}) {}: {}", job.id, to_string(what.type),
                     what.instance.empty() ? what.repository : what.instance, outcome.state,
                     outcome.error ? message_of(*outcome.error) : ""));
  }
  const bool by_policy = what.cause != job_cause::manual && is_repeatable(what.type);
  bool again = false;
  if (outcome.state == job_state::failed && by_policy) {
    const std::int64_t delay = policy_of(what.instance).retry_delay_ms;
    const unsigned doublings = std::min(what.attempt - 1, 16U);
    again = try_again(job, std::min(delay << doublings, retry_delay_max_ms));
  }
  watch_.job_over(job, outcome, again);
  if (!what.instance.empty()) events.instance_changed(what.instance);
}

void Core::refresh_all() {
  const auto now = config();
  std::vector<std::string> names;
  for (const RepositoryEntry& repository : now->repositories) {
    names.push_back(repository.name);
    refresh(repository.name);
  }
  catalog.keep_only(names);
}

void Core::keep_time(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any timer;
  auto refreshed = std::chrono::steady_clock::now();
  unsigned ticks = 0;
  while (!stop.stop_requested()) {
    try {
      scheduler_.tick(now_ms());
      if (++ticks % ticks_per_look == 0) watch_.look(now_ms());
      const bool due = std::chrono::steady_clock::now() - refreshed > refresh_interval;
      if (due || refresh_wanted_.exchange(false)) {
        refresh_all();
        jobs.forget_before(now_ms() - config()->job_history_ms);
        refreshed = std::chrono::steady_clock::now();
      }
    } catch (const std::exception& problem) {
      log_(problem.what());  // the disk of the state is full, say: the next look may go well
    }
    std::unique_lock lock(mutex);
    timer.wait_for(lock, stop, tick_interval, [] { return false; });
  }
}

}  // namespace sluice::service
