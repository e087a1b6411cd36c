#include "service/job_store.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "service/text.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

constexpr std::string_view columns =
    "id, type, instance, repository, backup, state, cause, actor, attempt, retry_of, created_at, "
    "not_before, started_at, finished_at, options, notices, error";

std::vector<std::string> texts_of(const std::string& array) {
  std::vector<std::string> texts;
  const json::value parsed = json::parse(array);
  for (const json::value& text : parsed.as_array()) texts.emplace_back(text.as_string());
  return texts;
}

Job job_of(const Statement& row, bool with_result) {
  Job job;
  job.id = row.number(0);
  job.what.type = parse_job_type(row.text(1)).value_or(JobType::backup);
  job.what.instance = row.text(2);
  job.what.repository = row.text(3);
  job.what.backup = row.maybe_text(4);
  job.state = row.text(5);
  job.what.cause = row.text(6);
  job.what.actor = row.maybe_text(7);
  job.what.attempt = static_cast<unsigned>(row.number(8));
  job.what.retry_of = row.maybe_number(9);
  job.created_at_ms = row.number(10);
  job.what.not_before_ms = row.number(11);
  job.started_at_ms = row.maybe_number(12);
  job.finished_at_ms = row.maybe_number(13);
  job.what.options = row.text(14);
  job.notices = texts_of(row.text(15));
  job.error = row.maybe_text(16);
  if (with_result) job.result = row.maybe_text(17);
  return job;
}

std::vector<Job> jobs_of(Statement statement) {
  std::vector<Job> jobs;
  while (statement.step()) jobs.push_back(job_of(statement, false));
  return jobs;
}

Error busy(const NewJob& job, std::int64_t other) {
  return {.stage = Stage::engine,
          .code = "busy",
          .message = fmt::format("a {} of {} is queued or running already: job {}; wait for it, or "
                                 "cancel it",
                                 to_string(job.type),
                                 job.instance.empty() ? job.repository : job.instance, other)};
}

/// A job of the same kind that is not over.
std::optional<std::int64_t> same_under_way(Database::Writing& writing, const NewJob& job) {
  auto same = writing.statement(
      "SELECT id FROM jobs WHERE state IN ('queued', 'running') AND type = ? AND instance = ? AND "
      "repository = ? AND (?4 = 0 OR backup IS ?5)");
  same.bind(to_string(job.type)).bind(job.instance);
  same.bind(job.repository).bind(only_reads(job.type)).bind(job.backup);
  if (!same.step()) return std::nullopt;
  return same.number(0);
}

}  // namespace

Result<Job> JobStore::add(const NewJob& job) {
  Database::Writing writing(database_);
  if (const auto other = same_under_way(writing, job)) return std::unexpected(busy(job, *other));
  Job added{.what = job, .state = std::string(job_state::queued), .created_at_ms = now_ms()};
  writing
      .statement(
          "INSERT INTO jobs(type, instance, repository, backup, state, cause, actor, attempt, "
          "retry_of, created_at, not_before, options) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)")
      .bind(to_string(job.type))
      .bind(job.instance)
      .bind(job.repository)
      .bind(job.backup)
      .bind(job_state::queued)
      .bind(job.cause)
      .bind(job.actor)
      .bind(std::int64_t{job.attempt})
      .bind(job.retry_of)
      .bind(added.created_at_ms)
      .bind(job.not_before_ms)
      .bind(job.options)
      .run();
  added.id = writing.last_row();
  writing.commit();
  return added;
}

bool JobStore::start(std::int64_t id, std::int64_t at_ms) {
  Database::Writing writing(database_);
  writing
      .statement(
          "UPDATE jobs SET state = 'running', started_at = ? WHERE id = ? AND state = 'queued'")
      .bind(at_ms)
      .bind(id)
      .run();
  const bool started = writing.changes() == 1;
  writing.commit();
  return started;
}

void JobStore::finish(std::int64_t id, std::int64_t at_ms, const JobOutcome& outcome) {
  json::array notices;
  for (const std::string& notice : outcome.notices) notices.emplace_back(notice);
  Database::Writing writing(database_);
  writing
      .statement(
          "UPDATE jobs SET state = ?, finished_at = ?, error = ?, result = ?, notices = ?, "
          "backup = coalesce(?, backup) WHERE id = ?")
      .bind(outcome.state)
      .bind(at_ms)
      .bind(outcome.error)
      .bind(outcome.result)
      .bind(json::serialize(notices))
      .bind(outcome.backup)
      .bind(id)
      .run();
  writing.commit();
}

bool JobStore::cancel_queued(std::int64_t id, std::int64_t at_ms) {
  Database::Writing writing(database_);
  writing
      .statement(
          "UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE id = ? AND state = 'queued'")
      .bind(at_ms)
      .bind(id)
      .run();
  const bool cancelled = writing.changes() == 1;
  writing.commit();
  return cancelled;
}

std::optional<Job> JobStore::find(std::int64_t id) {
  Database::Reading reading(database_);
  auto statement =
      reading.statement(fmt::format("SELECT {}, result FROM jobs WHERE id = ?", columns));
  statement.bind(id);
  if (!statement.step()) return std::nullopt;
  return job_of(statement, true);
}

std::vector<Job> JobStore::list(const JobQuery& query) {
  Database::Reading reading(database_);
  auto statement = reading.statement(fmt::format(
      "SELECT {} FROM jobs WHERE (?1 IS NULL OR instance = ?1) AND (?2 IS NULL OR state = ?2) AND "
      "(?3 IS NULL OR type = ?3) AND (?4 IS NULL OR id < ?4) ORDER BY id DESC LIMIT ?5",
      columns));
  statement.bind(query.instance).bind(query.state).bind(query.type).bind(query.before);
  statement.bind(std::int64_t{query.limit});
  return jobs_of(std::move(statement));
}

std::vector<Job> JobStore::queued() {
  Database::Reading reading(database_);
  return jobs_of(reading.statement(
      fmt::format("SELECT {} FROM jobs WHERE state = 'queued' ORDER BY id", columns)));
}

std::optional<Job> JobStore::newest(const std::string& instance, std::optional<JobType> type) {
  JobQuery query{.instance = instance, .limit = 1};
  if (type) query.type = std::string(to_string(*type));
  auto jobs = list(query);
  if (jobs.empty()) return std::nullopt;
  return std::move(jobs.front());
}

std::vector<Job> JobStore::interrupt_running(std::int64_t at_ms) {
  std::vector<Job> jobs;
  Database::Writing writing(database_);
  jobs = jobs_of(
      writing.statement(fmt::format("SELECT {} FROM jobs WHERE state = 'running'", columns)));
  writing
      .statement(
          "UPDATE jobs SET state = 'interrupted', finished_at = ?, error = ? "
          "WHERE state = 'running'")
      .bind(at_ms)
      .bind(R"({"stage":"engine","code":"interrupted","message":"the service ended meanwhile"})")
      .run();
  writing.commit();
  return jobs;
}

void JobStore::forget_before(std::int64_t at_ms) {
  Database::Writing writing(database_);
  writing.statement("DELETE FROM jobs WHERE finished_at < ? AND state NOT IN ('queued', 'running')")
      .bind(at_ms)
      .run();
  writing.commit();
}

}  // namespace sluice::service
