#include "sluice/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "engine/backup_check.h"
#include "engine/check_record.h"
#include "engine/clock.h"
#include "engine/damage_report.h"
#include "engine/errors.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/salvage.h"
#include "storage/checksum.h"

namespace sluice {
namespace {

using engine::BackupCheck;
using engine::CheckRecord;

/// A job over some backups.
class Verification {
 public:
  Verification(const VerifyOptions& options, const storage::Repository& repository,
               const JobContext& job)
      : options_(options), repository_(repository), job_(job) {}

  /// Errors: as verify().
  Result<void> check(const storage::BackupKey& key);
  Result<std::vector<VerifyResult>> finish();

 private:
  struct Checked {
    VerifyResult result;
    engine::DamageReport report;
  };

  CheckRecord load_record(const storage::BackupKey& key) const;
  void save_record(const storage::BackupKey& key, CheckRecord& record) const;
  Result<void> check_opened(const engine::OpenBackup& backup, CheckRecord& record,
                            Checked& checked);
  Result<void> salvage(const engine::OpenBackup& backup, const engine::CanonicalMap* map,
                       const std::vector<engine::CheckFinding>& findings, VerifyResult& result);
  void note(const CheckRecord::Bad* bad, CheckRecord& record, VerifyResult& result) const;
  [[nodiscard]] unsigned threads() const;
  void notice(const std::string& text) const {
    if (job_.observer != nullptr) job_.observer->on_notice(text);
  }

  const VerifyOptions& options_;
  const storage::Repository& repository_;
  const JobContext& job_;
  engine::SoundPacks sound_packs_;
  std::vector<Checked> checked_;
};

unsigned Verification::threads() const {
  if (options_.threads > 0) return std::min(options_.threads, VerifyOptions::threads_max);
  return std::clamp(std::thread::hardware_concurrency(), 1U, VerifyOptions::threads_max);
}

CheckRecord Verification::load_record(const storage::BackupKey& key) const {
  if (repository_.is_locked()) return {};  // it is encrypted
  auto record = engine::load_check_record(repository_, key);
  if (record) return *std::move(record);
  notice(record.error().message + "; it is left out of account");
  return {};
}

void Verification::save_record(const storage::BackupKey& key, CheckRecord& record) const {
  if (repository_.is_locked()) return;
  record.tool = options_.tool;
  if (const auto saved = repository_.set_checked(key, encode(record)); !saved) {
    notice(fmt::format("what was found in backup {} is not kept beside it: {}", key.id,
                       engine::from_storage(saved.error()).message));
  }
}

void Verification::note(const CheckRecord::Bad* bad, CheckRecord& record,
                        VerifyResult& result) const {
  result.finished_at_ms = engine::unix_now_ms();
  if (bad == nullptr) {
    record.note_good(options_.level, result.finished_at_ms);
    return;
  }
  CheckRecord::Bad found = *bad;
  found.at_ms = result.finished_at_ms;
  record.note_bad(found);
}

Result<void> Verification::check(const storage::BackupKey& key) {
  Checked checked;
  VerifyResult& result = checked.result;
  result.id = key.id;
  result.instance = key.instance;
  result.level = options_.level;
  CheckRecord record = load_record(key);
  const auto good = record.good_since(options_.level);
  const std::int64_t now = engine::unix_now_ms();
  // A time to come is that of another clock, and says nothing.
  if (options_.max_age_ms && good && *good <= now && now - *good <= *options_.max_age_ms) {
    result.ok = result.skipped = true;
    result.finished_at_ms = *good;
    checked_.push_back(std::move(checked));
    return {};
  }
  const auto backup = engine::open_backup(repository_, key);
  if (backup) {
    if (auto done = check_opened(*backup, record, checked); !done) return done;
  } else {
    checked.report.problems.push_back(backup.error().message);
    checked.report.problem_count = 1;
    const CheckRecord::Bad bad{.level = options_.level, .at_ms = 0, .problems = 1, .data = true};
    note(&bad, record, result);
  }
  save_record(key, record);
  checked_.push_back(std::move(checked));
  return {};
}

Result<void> Verification::check_opened(const engine::OpenBackup& backup, CheckRecord& record,
                                        Checked& checked) {
  VerifyResult& result = checked.result;
  engine::ProgressMeter meter(job_);
  BackupCheck::Setting setting{.repository = &repository_,
                               .backup = &backup,
                               .level = options_.level,
                               .threads = threads(),
                               .sound_packs = &sound_packs_};
  const bool goes_on = options_.resume && record.progress &&
                       record.progress->level == options_.level &&
                       record.progress->next_chunk <= backup.stored.chunks.size() &&
                       record.progress->manifest == storage::to_hex(backup.stored.manifest_digest);
  if (goes_on) setting.resume = std::move(record.progress);
  result.resumed = goes_on;
  BackupCheck check(std::move(setting), job_);
  if (auto run = check.run(meter); !run) {
    if (run.error().code == "cancelled") {
      record.progress = check.progress();
      save_record(backup.stored.key, record);
    }
    return run;
  }
  check.describe(result);
  auto findings = check.take_findings();
  const auto is_data = [](const engine::CheckFinding& finding) {
    return finding.object.empty() || !finding.chunks.empty();
  };
  const CheckRecord::Bad bad{.level = options_.level,
                             .at_ms = 0,
                             .problems = findings.size() + check.findings_dropped(),
                             .data = std::ranges::any_of(findings, is_data)};
  note(findings.empty() ? nullptr : &bad, record, result);
  if (!options_.salvage.empty()) {
    if (auto saved = salvage(backup, check.map(), findings, result); !saved) return saved;
  }
  checked.report = engine::report_damage(repository_, backup, check.map(), std::move(findings));
  checked.report.problem_count += check.findings_dropped();
  result.seconds = meter.seconds();
  return {};
}

Result<void> Verification::salvage(const engine::OpenBackup& backup,
                                   const engine::CanonicalMap* map,
                                   const std::vector<engine::CheckFinding>& findings,
                                   VerifyResult& result) {
  std::vector<bool> lost(backup.stored.chunks.size());
  for (const engine::CheckFinding& finding : findings) {
    for (const std::uint32_t chunk : finding.chunks) {
      if (!finding.is_readable) lost[chunk] = true;
    }
  }
  auto saved = engine::salvage({.repository = &repository_,
                                .backup = &backup,
                                .map = map,
                                .lost = std::move(lost),
                                .file = options_.salvage},
                               job_);
  if (!saved) return std::unexpected(saved.error());
  result.salvaged = *std::move(saved);
  return {};
}

Result<std::vector<VerifyResult>> Verification::finish() {
  std::vector<std::pair<std::string, engine::DamageReport*>> reports;
  for (Checked& checked : checked_) {
    if (checked.report.damage_count > 0) reports.emplace_back(checked.result.id, &checked.report);
  }
  if (auto added = engine::add_touched_backups(repository_, std::move(reports)); !added)
    return std::unexpected(added.error());
  std::vector<VerifyResult> results;
  for (Checked& checked : checked_) {
    VerifyResult& result = checked.result;
    result.problems = std::move(checked.report.problems);
    result.problem_count = checked.report.problem_count;
    result.damage = std::move(checked.report.damage);
    result.damage_count = checked.report.damage_count;
    result.ok = result.problem_count == 0;
    results.push_back(std::move(result));
  }
  return results;
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

Result<void> check_options(const VerifyOptions& options) {
  const auto refuse = [](std::string message) {
    return std::unexpected(
        Error{.stage = Stage::usage, .code = "bad_option", .message = std::move(message)});
  };
  if (options.salvage.empty()) return {};
  if (options.backups.size() != 1) return refuse("one backup can be salvaged at a time: name it");
  if (options.level < VerifyLevel::decoded)
    return refuse("to salvage a backup, check it at level decoded at least");
  if (options.max_age_ms) return refuse("what is to be salvaged has to be read: without a max age");
  return {};
}

}  // namespace

Result<std::vector<VerifyResult>> verify(const VerifyOptions& options, const JobContext& job) {
  if (auto fit = check_options(options); !fit) return std::unexpected(fit.error());
  const bool needs_key = options.level > VerifyLevel::stored;
  auto repository = engine::open_repository(
      options.repository, false, options.io,
      needs_key ? engine::WithoutKey::refused : engine::WithoutKey::allowed);
  if (!repository) return std::unexpected(repository.error());
  const auto keys = select(**repository, options.backups);
  if (!keys) return std::unexpected(keys.error());
  Verification verification(options, **repository, job);
  for (const storage::BackupKey& key : *keys) {
    if (job.stop.stop_requested()) return std::unexpected(engine::cancelled());
    if (auto checked = verification.check(key); !checked) return std::unexpected(checked.error());
  }
  return verification.finish();
}

}  // namespace sluice
