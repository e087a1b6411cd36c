#include "engine/backup_stream.h"
#include "engine/digest_reader.h"
#include "engine/errors.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "sluice/catalog.h"

namespace sluice {
namespace {

constexpr std::size_t problems_max = 100;

void add_problem(VerifyResult& result, std::string problem) {
  ++result.problem_count;
  if (result.problems.size() < problems_max) result.problems.push_back(std::move(problem));
}

/// Every byte of every object, against the checksums.
void check_objects(const storage::Repository& repository, const engine::OpenBackup& backup,
                   VerifyResult& result) {
  const auto stats = repository.check_backup(backup.stored, [&](const storage::Problem& problem) {
    add_problem(result, engine::from_storage(problem.error).message);
  });
  if (!stats) {
    add_problem(result, engine::from_storage(stats.error()).message);
    return;
  }
  result.chunks = stats->chunks;
  result.stored_bytes = stats->bytes;
}

/// The RDB itself, against its CRC64, and the counts and the digest in the manifest.
Result<void> check_stream(const storage::Repository& repository, const engine::OpenBackup& backup,
                          VerifyResult& result, engine::ProgressMeter& meter,
                          const JobContext& job) {
  engine::FactsAndDigest facts;
  rdb::Parser parser(facts);
  meter.set_total(backup.manifest.raw_bytes);
  const auto read = engine::read_back(repository, backup, parser, job, [&]() -> Result<void> {
    meter.update(parser.offset(), facts.keys());
    return {};
  });
  result.raw_bytes = parser.offset();
  result.keys = facts.keys();
  if (!read) {
    if (read.error().code == "cancelled") return read;
    add_problem(result, read.error().message);
    return {};
  }
  for (std::string& difference : engine::differences(backup.manifest, facts)) {
    add_problem(result, "backup " + result.id + ": " + std::move(difference));
  }
  result.digest = facts.digest().digest();
  if (auto other = engine::difference(backup.manifest, facts.digest())) {
    add_problem(result, "backup " + result.id + ": " + std::move(*other));
  }
  return {};
}

Result<VerifyResult> verify_one(const storage::Repository& repository,
                                const storage::BackupKey& key, const JobContext& job) {
  engine::ProgressMeter meter(job);
  VerifyResult result;
  result.id = key.id;
  result.instance = key.instance;
  auto backup = engine::open_backup(repository, key);
  if (!backup) {
    add_problem(result, backup.error().message);
  } else {
    meter.set_phase("reading objects of " + key.id);
    meter.update(0, 0);
    check_objects(repository, *backup, result);
    meter.set_phase("parsing " + key.id);
    auto checked = check_stream(repository, *backup, result, meter, job);
    if (!checked) return std::unexpected(checked.error());
  }
  result.ok = result.problem_count == 0;
  result.seconds = meter.seconds();
  return result;
}

Result<std::vector<storage::BackupKey>> select(const storage::Repository& repository,
                                               const std::vector<std::string>& backups) {
  std::vector<storage::BackupKey> keys;
  for (const std::string& backup : backups) {
    const auto key = engine::resolve(repository, backup);
    if (!key) return std::unexpected(key.error());
    keys.push_back(*key);
  }
  if (!backups.empty()) return keys;
  const auto listed = repository.list();
  if (!listed) return std::unexpected(engine::from_storage(listed.error()));
  for (const storage::BackupInfo& info : *listed) keys.push_back(info.key);
  return keys;
}

}  // namespace

Result<std::vector<VerifyResult>> verify(const VerifyOptions& options, const JobContext& job) {
  auto repository = engine::open_repository(options.repository, false, options.io);
  if (!repository) return std::unexpected(repository.error());
  const auto keys = select(**repository, options.backups);
  if (!keys) return std::unexpected(keys.error());

  std::vector<VerifyResult> results;
  for (const storage::BackupKey& key : *keys) {
    if (job.stop.stop_requested()) return std::unexpected(engine::cancelled());
    auto result = verify_one(**repository, key, job);
    if (!result) return std::unexpected(result.error());
    results.push_back(std::move(*result));
  }
  return results;
}

}  // namespace sluice
