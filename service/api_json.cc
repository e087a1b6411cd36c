#include "service/api_json.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "service/calendar.h"
#include "service/health.h"
#include "service/json.h"
#include "service/text.h"
#include "sluice/catalog.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

json::value json_or_null(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return json::parse(*text);
}

json::value progress_json(const std::optional<JobProgress>& progress) {
  if (!progress || progress->version == 0) return nullptr;
  json::object object{{"phase", progress->phase},     {"bytes", progress->bytes},
                      {"bytes_total", nullptr},       {"keys", progress->keys},
                      {"seconds", progress->seconds}, {"percent", nullptr},
                      {"bytes_per_second", 0}};
  if (progress->bytes_total) {
    object["bytes_total"] = *progress->bytes_total;
    if (*progress->bytes_total > 0)
      object["percent"] = 100.0 * static_cast<double>(progress->bytes) /
                          static_cast<double>(*progress->bytes_total);
  }
  if (progress->seconds > 0)
    object["bytes_per_second"] = static_cast<double>(progress->bytes) / progress->seconds;
  return object;
}

/// One that waits for its next try says so.
std::string_view shown_state(const Job& job) {
  if (job.state == job_state::queued && job.what.attempt > 1) return "retrying";
  return job.state;
}

json::array notices_json(const std::vector<std::string>& notices) {
  json::array array;
  for (const std::string& notice : notices) array.emplace_back(notice);
  return array;
}

json::value next_backup(const EffectivePolicy& effective, const std::string& instance) {
  if (!effective.policy || !effective.policy->enabled) return nullptr;
  return time_or_null(next_due(effective.policy->schedule, instance, now_ms()));
}

json::value policy_json(const EffectivePolicy& effective) {
  if (!effective.policy) return nullptr;
  return json::parse(to_json(*effective.policy));
}

}  // namespace

json::object job_json(const Core& core, const Job& job) {
  const auto progress = core.runner.progress(job.id);
  json::object object{{"id", job.id},
                      {"type", to_string(job.what.type)},
                      {"instance", nullptr},
                      {"repository", job.what.repository},
                      {"backup", or_null(job.what.backup)},
                      {"state", shown_state(job)},
                      {"trigger", job.what.cause},
                      {"actor", or_null(job.what.actor)},
                      {"attempt", job.what.attempt},
                      {"created_at", format_time(job.created_at_ms)},
                      {"started_at", time_or_null(job.started_at_ms)},
                      {"finished_at", time_or_null(job.finished_at_ms)},
                      {"due_at", nullptr},
                      {"progress", progress_json(progress)},
                      {"notices", notices_json(progress ? progress->notices : job.notices)},
                      {"error", json_or_null(job.error)},
                      {"result", json_or_null(job.result)},
                      {"retry_of", or_null(job.what.retry_of)},
                      {"options", json::parse(job.what.options)}};
  if (!job.what.instance.empty()) object["instance"] = job.what.instance;
  if (job.what.not_before_ms > 0) object["due_at"] = format_time(job.what.not_before_ms);
  return object;
}

json::object backup_json(Core& core, const CatalogCache::Entry& entry) {
  json::object object = parse_object(to_json(entry.backup));
  object["repository"] = entry.repository;
  object["kind"] = entry.backup.parent ? "incremental" : "full";
  object["mode"] = core.origin_of(entry.backup.id);
  object["verified"] = nullptr;
  if (const auto& check = entry.backup.verified) {
    object["verified"] = json::object{{"finished_at", format_time(check->finished_at_ms)},
                                      {"level", check->level},
                                      {"ok", check->ok}};
  }
  return object;
}

json::object instance_json(Core& core, const InstanceEntry& instance) {
  const auto effective = core.policies.of(instance);
  const Health health = health_of(core, instance, now_ms());
  const auto newest = core.catalog.newest(instance.name);
  const auto totals = core.catalog.totals(instance.name);
  const auto job = core.jobs.newest(instance.name);
  const auto drills = core.drills.list(instance.name, 1);
  json::object object{{"name", instance.name},
                      {"group", instance.group},
                      {"repository", instance.repository},
                      {"uri", instance.shown_uri},
                      {"health", health.state},
                      {"health_text", health.text},
                      {"policy", policy_json(effective)},
                      {"policy_source", effective.source},
                      {"next_backup_at", next_backup(effective, instance.name)},
                      {"last_backup", nullptr},
                      {"last_job", nullptr},
                      {"running_job", nullptr},
                      {"backups", totals.backups},
                      {"stored_bytes", totals.stored_bytes},
                      {"last_drill", nullptr}};
  if (newest) object["last_backup"] = backup_json(core, *newest);
  if (job) object["last_job"] = job_json(core, *job);
  if (job && job->state == job_state::running) object["running_job"] = job->id;
  if (!drills.empty()) object["last_drill"] = drill_json(drills.front());
  return object;
}

json::object policy_answer(Core& core, const InstanceEntry& instance) {
  const auto effective = core.policies.of(instance);
  return {{"policy", policy_json(effective)},
          {"source", effective.source},
          {"next_backup_at", next_backup(effective, instance.name)}};
}

json::object drill_json(const Drill& drill) {
  json::object object{{"job", drill.job},         {"instance", drill.instance},
                      {"backup", drill.backup},   {"at", format_time(drill.at_ms)},
                      {"seconds", drill.seconds}, {"ok", drill.ok},
                      {"digest_equal", nullptr},  {"keys", drill.keys},
                      {"message", drill.message}};
  if (drill.digest_equal) object["digest_equal"] = *drill.digest_equal;
  return object;
}

json::object clone_json(const Clone& clone) {
  json::object object{{"id", clone.id},
                      {"backup", clone.backup},
                      {"instance", clone.instance},
                      {"target", clone.target},
                      {"uri", nullptr},
                      {"directory", nullptr},
                      {"created_at", format_time(clone.created_at_ms)},
                      {"state", clone.state},
                      {"verified", nullptr},
                      {"keys", clone.keys},
                      {"digest", or_null(clone.digest)},
                      {"job", clone.job}};
  if (!clone.uri.empty()) object["uri"] = clone.uri;
  if (!clone.directory.empty()) object["directory"] = clone.directory;
  if (clone.verified) object["verified"] = *clone.verified;
  return object;
}

}  // namespace sluice::service
