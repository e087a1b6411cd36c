#include "service/scheduler.h"

#include "service/calendar.h"

namespace sluice::service {
namespace {

/// Later than this it is catching up.
constexpr std::int64_t late_ms = 5LL * 60 * 1000;

}  // namespace

void Scheduler::tick(std::int64_t now_ms) {
  const auto config = policies_.config();
  for (const InstanceEntry& instance : config->instances) {
    const auto policy = policies_.of(instance).policy;
    if (!policy || !policy->enabled) continue;
    look_at(instance, JobType::backup, policy->schedule, now_ms);
    if (policy->verify) look_at(instance, JobType::verify, *policy->verify, now_ms);
    if (policy->drill) look_at(instance, JobType::drill, *policy->drill, now_ms);
  }
}

void Scheduler::touch(const std::string& instance, std::int64_t now_ms) {
  for (const JobType type : {JobType::backup, JobType::verify, JobType::drill})
    set_handled(instance, type, now_ms);
}

void Scheduler::look_at(const InstanceEntry& instance, JobType type, const Schedule& schedule,
                        std::int64_t now_ms) {
  const auto seen_to = handled(instance.name, type);
  if (!seen_to) return set_handled(instance.name, type, now_ms);
  const auto due = last_due(schedule, instance.name, now_ms);
  if (!due || *due <= *seen_to) return;
  submit(instance, type, now_ms - *due > late_ms);
  set_handled(instance.name, type, *due);
}

void Scheduler::submit(const InstanceEntry& instance, JobType type, bool late) {
  NewJob job{.type = type, .instance = instance.name, .repository = instance.repository};
  job.cause = late ? job_cause::catch_up : job_cause::schedule;
  if (type == JobType::verify) {
    job.backup = hooks_.newest_backup(instance.name);
    if (!job.backup) return;
  }
  if (const auto added = hooks_.submit(job); !added)
    hooks_.on_left_out(instance, added.error().message);
}

std::optional<std::int64_t> Scheduler::handled(const std::string& instance, JobType type) {
  Database::Reading reading(database_);
  auto row = reading.statement("SELECT due_at FROM handled WHERE instance = ? AND kind = ?");
  row.bind(instance).bind(to_string(type));
  if (!row.step()) return std::nullopt;
  return row.number(0);
}

void Scheduler::set_handled(const std::string& instance, JobType type, std::int64_t due_ms) {
  Database::Writing writing(database_);
  writing.statement("INSERT OR REPLACE INTO handled(instance, kind, due_at) VALUES(?, ?, ?)")
      .bind(instance)
      .bind(to_string(type))
      .bind(due_ms)
      .run();
  writing.commit();
}

}  // namespace sluice::service
