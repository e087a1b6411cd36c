#include "service/job_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "service/job_places.h"
#include "service/json.h"
#include "service/text.h"
#include "sluice/backup.h"
#include "sluice/prune.h"
#include "sluice/verify.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

/// What a job takes beside its data: buffers, connections, threads.
constexpr std::uint64_t fixed_bytes = 16ULL << 20;
/// Of a restore, and of what reads a backup once.
constexpr std::uint64_t transfer_bytes = 112ULL << 20;
constexpr std::uint64_t reading_bytes = 40ULL << 20;
/// Threads of one check: several go on beside each other.
constexpr unsigned verify_threads = 1;

}  // namespace

JobOutcome done(std::string result) {
  return {.state = std::string(job_state::done),
          .error = {},
          .result = std::move(result),
          .backup = {},
          .notices = {}};
}

JobOutcome failed(const Error& error, std::optional<std::string> result) {
  const bool cancelled = error.code == "cancelled";
  return {.state = std::string(cancelled ? job_state::cancelled : job_state::failed),
          .error = json::serialize(json_of(error)),
          .result = std::move(result),
          .backup = {},
          .notices = {}};
}

Error unknown_instance(const std::string& name) {
  return {.stage = Stage::engine,
          .code = "not_found",
          .message = fmt::format("instance {} is not in the configuration any more", name)};
}

std::string to_json(const RestoreRequest& request) {
  json::array match;
  for (const std::string& glob : request.match) match.emplace_back(glob);
  return json::serialize(json::object{{"backup", request.backup},
                                      {"instance", request.instance},
                                      {"flush", request.flush},
                                      {"on_conflict", request.on_conflict},
                                      {"match", std::move(match)}});
}

RestoreRequest restore_request_of(const std::string& options) {
  const json::object object = parse_object(options);
  return {.backup = text_of(object, "backup"),
          .instance = text_of(object, "instance"),
          .flush = flag_of(object, "flush"),
          .on_conflict = text_of(object, "on_conflict"),
          .match = texts_of(object, "match")};
}

JobOutcome JobWork::operator()(const Job& job, const JobContext& context) {
  Places places{.config = policies_.config()};
  places.repository = places.config->repository(job.what.repository);
  places.instance = places.config->instance(job.what.instance);
  if (places.repository == nullptr) {
    return failed({.stage = Stage::engine,
                   .code = "not_found",
                   .message = fmt::format("repository {} is not in the configuration any more",
                                          job.what.repository)});
  }
  switch (job.what.type) {
    case JobType::backup: return backup(job, places, context);
    case JobType::verify: return verify(job, places, context);
    case JobType::prune: return prune(job, places, context);
    case JobType::remove: return remove(job, places, context);
    case JobType::analyze: return analyze(job, places, context);
    case JobType::diff: return diff(job, places, context);
    case JobType::plan:
    case JobType::restore: return restore(job, places, context);
    case JobType::clone: return clone(job, places, context);
    case JobType::promote: return promote(job, places, context);
    case JobType::drill: return drill(job, places, context);
  }
  return failed({.stage = Stage::engine, .code = "fault", .message = "a job of no known type"});
}

std::uint64_t JobWork::raw_bytes_of(const Job& job) const {
  const auto named = job.what.backup ? catalog_.find(*job.what.backup) : std::nullopt;
  const auto entry = named ? named : catalog_.newest(job.what.instance);
  return entry ? entry->backup.raw_bytes : UINT64_MAX / 4;
}

std::uint64_t JobWork::memory_of(const Job& job) const {
  const std::uint64_t raw = raw_bytes_of(job);
  switch (job.what.type) {
    case JobType::backup:
      return fixed_bytes + std::min(BackupOptions::memory_bytes_min, raw + raw / 2);
    case JobType::plan:
    case JobType::restore:
    case JobType::clone:
    case JobType::promote:
    case JobType::drill: return fixed_bytes + std::min(transfer_bytes, raw * 2);
    default: return fixed_bytes + std::min(reading_bytes, raw * 2);
  }
}

JobOutcome JobWork::backup(const Job& job, const Places& places, const JobContext& context) {
  if (places.instance == nullptr) return failed(unknown_instance(job.what.instance));
  const auto policy = policies_.of(*places.instance).policy.value_or(Policy());
  BackupOptions options;
  options.source = places.instance->address.uri;
  options.server = places.instance->address;
  options.repository = places.repository->place;
  options.instance = places.instance->name;
  options.from = policy.from;
  options.layout = policy.layout;
  options.compression = policy.compression;
  options.memory_bytes = BackupOptions::memory_bytes_min;
  const auto taken = sluice::backup(options, context);
  if (!taken) return failed(taken.error());
  {
    Database::Writing writing(database_);
    writing.statement("INSERT OR REPLACE INTO origins(backup, cause, job) VALUES(?, ?, ?)")
        .bind(taken->id)
        .bind(job.what.cause)
        .bind(job.id)
        .run();
    writing.commit();
  }
  JobOutcome outcome = done(sluice::to_json(*taken));
  outcome.backup = taken->id;
  return outcome;
}

JobOutcome JobWork::verify(const Job& job, const Places& places, const JobContext& context) {
  VerifyOptions options{.repository = places.repository->place,
                        .backups = {job.what.backup.value_or("")}};
  options.level = parse_verify_level(text_of(parse_object(job.what.options), "level"))
                      .value_or(VerifyLevel::digest);
  options.threads = verify_threads;
  options.tool = "sluice serve";
  const auto checked = sluice::verify(options, context);
  if (!checked) return failed(checked.error());
  std::string result = sluice::to_json(*checked);
  const auto bad = std::ranges::find(*checked, false, &VerifyResult::ok);
  if (bad == checked->end()) return done(std::move(result));
  return failed({.stage = Stage::storage,
                 .code = "damaged",
                 .message = fmt::format(
                     "backup {} is damaged in {} place(s): {}; take a new backup, and save what is "
                     "left with `sluice verify {} --salvage FILE`",
                     bad->id, bad->problem_count,
                     bad->problems.empty() ? "" : bad->problems.front(), bad->id)},
                std::move(result));
}

JobOutcome JobWork::prune(const Job& job, const Places& places, const JobContext& context) {
  PruneOptions options{.repository = places.repository->place, .instance = {}, .policy = {}};
  options.dry_run = false;
  options.collection.trash_ms = places.repository->trash_ms;
  for (const InstanceEntry& instance : places.config->instances) {
    if (instance.repository != job.what.repository) continue;
    const auto policy = policies_.of(instance).policy;
    if (policy && policy->enabled && !policy->retention.is_empty())
      options.policies.emplace(instance.name, policy->retention);
  }
  options.collect_only = options.policies.empty();
  const auto pruned = sluice::prune(options, context);
  if (!pruned) return failed(pruned.error());
  return done(sluice::to_json(*pruned));
}

JobOutcome JobWork::remove(const Job& job, const Places& places, const JobContext& context) {
  const auto removed = sluice::remove(places.repository->place, {job.what.backup.value_or("")},
                                      false, {.trash_ms = places.repository->trash_ms}, context);
  if (!removed) return failed(removed.error());
  return done(sluice::to_json(*removed));
}

}  // namespace sluice::service
