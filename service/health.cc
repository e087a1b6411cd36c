#include "service/health.h"

#include <fmt/format.h>

#include "service/calendar.h"
#include "service/core.h"
#include "service/json.h"
#include "sluice/catalog.h"

namespace sluice::service {
namespace {

bool is_failing(const std::optional<Job>& job) {
  return job && (job->state == job_state::failed || job->state == job_state::interrupted ||
                 (job->state == job_state::queued && job->what.attempt > 1));
}

}  // namespace

std::optional<std::int64_t> overdue_since(Core& core, const InstanceEntry& instance,
                                          std::int64_t now_ms) {
  const auto policy = core.policies.of(instance).policy;
  if (!policy || !policy->enabled) return std::nullopt;
  const auto due = last_due(policy->schedule, instance.name, now_ms - core.config()->overdue_ms);
  if (!due) return std::nullopt;
  const auto newest = core.catalog.newest(instance.name);
  if (newest && newest->backup.finished_at_ms >= *due) return std::nullopt;
  const auto known = core.first_seen(instance.name);
  if (!known || *known >= *due) return std::nullopt;  // it was not ours to do then
  return *due;
}

Health health_of(Core& core, const InstanceEntry& instance, std::int64_t now_ms) {
  const auto newest = core.catalog.newest(instance.name);
  const auto job = core.jobs.newest(instance.name, JobType::backup);
  if (job && job->state == job_state::running) return {"running", "a backup is being taken"};
  if (is_failing(job) && (!newest || job->created_at_ms > newest->backup.started_at_ms)) {
    return {"failing", "the last backup failed: " +
                           (job->error ? message_of(*job->error) : "a try failed before")};
  }
  if (const auto since = overdue_since(core, instance, now_ms)) {
    return {"overdue", fmt::format("no backup since {}, when one was due", format_time(*since))};
  }
  if (newest && is_damaged(newest->backup)) {
    return {"damaged", "the newest backup is damaged: take a new one, and verify it"};
  }
  const auto policy = core.policies.of(instance).policy;
  if (!newest) return {"never", "there is no backup yet"};
  if (!policy || !policy->enabled)
    return {"manual", "backed up by hand only: no policy is switched on"};
  return {"ok", "the last backup is as new as the policy asks for"};
}

}  // namespace sluice::service
