// Jobs that read backups, and those that put them back into an instance.

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "service/job_places.h"
#include "service/json.h"
#include "service/restore_outcome.h"
#include "sluice/analyze.h"
#include "sluice/diff.h"
#include "sluice/restore.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

constexpr std::size_t differences_max = 1000;

Place place_of(const std::string& backup, const RepositoryEntry& repository) {
  Place place;
  place.name = backup;
  place.repository = repository.place;
  return place;
}

OnConflict policy_of(const std::string& name) {
  if (name == "replace") return OnConflict::replace;
  return name == "skip" ? OnConflict::skip : OnConflict::refuse;
}

}  // namespace

JobOutcome JobWork::analyze(const Job& job, const Places& places, const JobContext& context) {
  const std::string backup = job.what.backup.value_or("");
  AnalyzeOptions options{.place = place_of(backup, *places.repository)};
  const auto analysed = sluice::analyze(options, context);
  if (!analysed) return failed(analysed.error());
  std::string result = sluice::to_json(*analysed);
  Database::Writing writing(database_);
  writing.statement("INSERT OR REPLACE INTO analyses(backup, job, result) VALUES(?, ?, ?)")
      .bind(backup)
      .bind(job.id)
      .bind(result)
      .run();
  writing.commit();
  return done(std::move(result));
}

JobOutcome JobWork::diff(const Job& job, const Places& places, const JobContext& context) {
  const json::object wanted = parse_object(job.what.options);
  DiffOptions options{.a = place_of(text_of(wanted, "a"), *places.repository),
                      .b = place_of(text_of(wanted, "b"), *places.repository)};
  json::array differences;
  const auto compared = sluice::diff(
      options,
      [&differences](const KeyDifference& difference) {
        if (differences.size() < differences_max)
          differences.push_back(parse_object(sluice::to_json(difference)));
        return true;
      },
      context);
  if (!compared) return failed(compared.error());
  json::object result = parse_object(sluice::to_json(*compared));
  result["differences"] = std::move(differences);
  return done(json::serialize(result));
}

JobOutcome JobWork::restore(const Job& job, const Places& places, const JobContext& context) {
  if (places.instance == nullptr) return failed(unknown_instance(job.what.instance));
  const RestoreRequest wanted = restore_request_of(job.what.options);
  RestoreOptions options;
  options.repository = places.repository->place;
  options.backup = wanted.backup;
  options.target = places.instance->address;
  options.on_conflict = policy_of(wanted.on_conflict);
  options.flush = wanted.flush;
  options.filter.keys.only.globs = wanted.match;
  options.dry_run = job.what.type == JobType::plan;
  const auto result = sluice::restore(options, context);
  if (!result) return failed(result.error());
  return outcome_of(*result);
}

}  // namespace sluice::service
