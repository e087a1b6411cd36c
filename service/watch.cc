#include "service/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "service/calendar.h"
#include "service/core.h"
#include "service/health.h"
#include "service/json.h"
#include "service/text.h"
#include "sluice/catalog.h"

namespace sluice::service {
namespace {

double seconds_of(const Job& job) {
  const auto begun = job.started_at_ms.value_or(job.created_at_ms);
  return static_cast<double>(now_ms() - begun) / 1000;
}

/// Whether the backup job before this one came to no good end.
bool failed_before(JobStore& jobs, const Job& job) {
  JobQuery query{.instance = job.what.instance, .type = std::string(to_string(JobType::backup))};
  query.before = job.id;
  query.limit = 1;
  const auto before = jobs.list(query);
  return !before.empty() && (before.front().state == job_state::failed ||
                             before.front().state == job_state::interrupted);
}

}  // namespace

std::optional<std::int64_t> drill_overdue_since(Core& core, const InstanceEntry& instance,
                                                std::int64_t now_ms) {
  const auto policy = core.policies.of(instance).policy;
  if (!policy || !policy->enabled || !policy->drill) return std::nullopt;
  const auto due = last_due(*policy->drill, instance.name, now_ms - core.config()->overdue_ms);
  const auto known = core.first_seen(instance.name);
  if (!due || !known || *known >= *due) return std::nullopt;
  for (const Drill& drill : core.drills.list(instance.name, 1)) {
    if (drill.at_ms >= *due) return std::nullopt;
  }
  return due;
}

std::optional<std::string> shrunk(Core& core, const std::string& instance) {
  const auto backups = core.catalog.of(instance);
  if (backups.size() < 2) return std::nullopt;
  const BackupSummary& last = backups.back().backup;
  const BackupSummary& before = backups[backups.size() - 2].backup;
  const double ratio = core.config()->shrink_ratio;
  const auto is_less = [ratio](std::uint64_t now, std::uint64_t then) {
    return static_cast<double>(now) < ratio * static_cast<double>(then);
  };
  if (is_less(last.keys, before.keys))
    return fmt::format("{} keys, where the backup before had {}", last.keys, before.keys);
  if (is_less(last.raw_bytes, before.raw_bytes)) {
    return fmt::format("{} bytes of RDB, where the backup before had {}", last.raw_bytes,
                       before.raw_bytes);
  }
  return std::nullopt;
}

void Watch::tell(const std::string& name, const Job& job, const JobOutcome& outcome,
                 std::string message) {
  core_.tell({.name = name,
              .instance = job.what.instance,
              .backup = outcome.backup.value_or(job.what.backup.value_or("")),
              .job = job.id,
              .message = std::move(message),
              .at_ms = now_ms()});
}

void Watch::tell_failure(const std::string& name, const Job& job, const JobOutcome& outcome) {
  tell(name, job, outcome, outcome.error ? message_of(*outcome.error) : outcome.state);
}

void Watch::job_over(const Job& job, const JobOutcome& outcome, bool again) {
  const bool good = outcome.state == job_state::done;
  const bool failed = outcome.state == job_state::failed;
  core_.metrics.job_finished(to_string(job.what.type), outcome.state, seconds_of(job));
  switch (job.what.type) {
    case JobType::backup: backup_over(job, outcome, again); break;
    case JobType::verify: {
      const bool damaged = failed && outcome.result.has_value();
      core_.metrics.verify_finished(job.what.instance,
                                    good ? "ok" : (damaged ? "damaged" : "failed"));
      if (failed && !again) tell_failure("verify_failed", job, outcome);
      break;
    }
    case JobType::drill:
      core_.metrics.drill_finished(job.what.instance, good);
      if (failed && !again) tell_failure("drill_failed", job, outcome);
      break;
    case JobType::restore:
    case JobType::clone:
    case JobType::promote: {
      const auto written = outcome.result ? number_of(parse_object(*outcome.result), "written") : 0;
      core_.metrics.restore_finished(job.what.instance, to_string(job.what.type), good,
                                     static_cast<std::uint64_t>(written.value_or(0)));
      break;
    }
    default: break;
  }
}

void Watch::backup_over(const Job& job, const JobOutcome& outcome, bool again) {
  const bool good = outcome.state == job_state::done;
  Metrics::BackupEnd end{.instance = job.what.instance, .ok = good};
  const auto taken = core_.catalog.find(outcome.backup.value_or(""));
  if (taken) {
    end.bytes = taken->backup.raw_bytes;
    end.new_bytes = taken->backup.new_bytes;
    end.keys = taken->backup.keys;
  }
  core_.metrics.backup_finished(end);
  if (outcome.state == job_state::failed && !again) tell_failure("backup_failed", job, outcome);
  if (!good) return;
  if (failed_before(core_.jobs, job))
    tell("backup_recovered", job, outcome, "the last backup went well again");
  if (const auto what = shrunk(core_, job.what.instance)) {
    tell("backup_small", job, outcome,
         "the backup is suspiciously small: " + *what +
             "; pin the one before until it is clear why");
  }
}

void Watch::tell_overdue(const std::string& name, const InstanceEntry& instance,
                         std::int64_t since_ms, std::int64_t now_ms) {
  if (!core_.is_news(name + ":" + instance.name, since_ms)) return;
  core_.tell({.name = name,
              .instance = instance.name,
              .message = fmt::format("one was due at {}, and none has come since; see its jobs",
                                     format_time(since_ms)),
              .at_ms = now_ms});
}

void Watch::look(std::int64_t now_ms) {
  const auto config = core_.config();
  for (const InstanceEntry& instance : config->instances) {
    if (const auto since = overdue_since(core_, instance, now_ms))
      tell_overdue("backup_overdue", instance, *since, now_ms);
    if (const auto since = drill_overdue_since(core_, instance, now_ms))
      tell_overdue("drill_overdue", instance, *since, now_ms);
  }
}

InstanceState Watch::state_of(const InstanceEntry& instance, std::int64_t now_ms) {
  InstanceState state{
      .name = instance.name, .group = instance.group, .repository = instance.repository};
  const auto backups = core_.catalog.of(instance.name);
  state.backups = backups.size();
  for (const auto& entry : backups) {
    if (is_damaged(entry.backup)) ++state.damaged_backups;
    state.stored_bytes += entry.backup.new_bytes;
    if (const auto& check = entry.backup.verified)
      state.last_verify = {.at_ms = check->finished_at_ms, .ok = check->ok, .seconds = 0};
  }
  if (!backups.empty()) {
    const BackupSummary& newest = backups.back().backup;
    state.oldest_ms = backups.front().backup.started_at_ms;
    state.newest_ms = newest.started_at_ms;
    state.newest = {.keys = newest.keys,
                    .bytes = newest.raw_bytes,
                    .new_bytes = newest.new_bytes,
                    .seconds = newest.seconds};
  }
  const auto policy = core_.policies.of(instance).policy;
  if (policy && policy->enabled)
    state.next_backup_ms = next_due(policy->schedule, instance.name, now_ms);
  state.failing = health_of(core_, instance, now_ms).state == "failing";
  state.overdue = overdue_since(core_, instance, now_ms).has_value();
  state.shrunk = shrunk(core_, instance.name).has_value();
  for (const Drill& drill : core_.drills.list(instance.name, 1))
    state.last_drill = {.at_ms = drill.at_ms, .ok = drill.ok, .seconds = drill.seconds};
  state.drill_overdue = drill_overdue_since(core_, instance, now_ms).has_value();
  return state;
}

ServiceState Watch::state(std::int64_t now_ms) {
  const auto config = core_.config();
  ServiceState state;
  for (const InstanceEntry& instance : config->instances)
    state.instances.push_back(state_of(instance, now_ms));
  for (const RepositoryEntry& repository : config->repositories) {
    const auto totals = core_.catalog.totals_of_repository(repository.name);
    RepositoryState at{
        .name = repository.name, .backups = totals.backups, .stored_bytes = totals.stored_bytes};
    std::error_code bad;
    const auto space = std::filesystem::space(repository.place.path, bad);
    if (!bad) at.free_bytes = space.available;
    state.repositories.push_back(std::move(at));
  }
  const auto load = core_.runner.load();
  state.jobs_running = load.running;
  state.job_memory_bytes = load.memory_bytes;
  state.jobs_queued = static_cast<unsigned>(core_.jobs.queued().size());
  state.jobs_max = config->jobs;
  state.job_memory_limit_bytes = config->memory_bytes;
  core_.fill(state);
  return state;
}

}  // namespace sluice::service
