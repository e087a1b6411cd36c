#include "sluice/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "engine/check_record.h"
#include "engine/clock.h"
#include "engine/errors.h"
#include "engine/repository_access.h"
#include "storage/repository.h"

namespace sluice {
namespace {

using storage::BackupKey;

Error removal_failed(const storage::Error& error) {
  Error failed = engine::from_storage(error);
  if (error.code == std::errc::no_space_on_device)
    failed.message += "; with --trash 0d what is removed needs no room, and makes some at once";
  return failed;
}

Error cancelled_or(const storage::Error& error, const JobContext& job) {
  return job.stop.stop_requested() ? engine::cancelled() : engine::from_storage(error);
}

/// Not what a check has found damaged, nor what a listing finds so.
bool is_whole(const storage::Repository& repository, const storage::BackupInfo& info) {
  if (info.damage) return false;
  const auto record = engine::load_check_record(repository, info.key);
  return !record || !record->bad || !record->bad->data;
}

Result<std::vector<RetentionCandidate>> candidates(const storage::Repository& repository,
                                                   const std::optional<std::string>& instance) {
  const auto infos = instance ? repository.list(*instance) : repository.list();
  if (!infos) return std::unexpected(engine::from_storage(infos.error()));
  std::vector<RetentionCandidate> backups;
  for (const storage::BackupInfo& info : *infos) {
    backups.push_back({.id = info.key.id,
                       .instance = info.key.instance,
                       .started_at_ms = static_cast<std::int64_t>(info.started_at_ms),
                       .whole = is_whole(repository, info),
                       .pinned = info.pin.has_value()});
  }
  return backups;
}

/// One removal and what is collected with it.
class Collection {
 public:
  Collection(storage::Repository& repository, const CollectionOptions& options,
             const JobContext& job, PruneResult& result)
      : repository_(repository), options_(options), job_(job), result_(result) {}

  /// Those that a running backup builds on are left, and said, unless `all_or_none`.
  Result<void> remove(const std::vector<BackupKey>& keys, bool all_or_none) {
    if (keys.empty()) return {};
    const auto removed = repository_.remove_backups(keys, options_.accept_shrinkage);
    if (removed) {
      result_.removed_backups = keys.size();
      add(*removed);
      return {};
    }
    if (all_or_none || removed.error().code != storage::Errc::busy)
      return std::unexpected(removal_failed(removed.error()));
    return remove_all_but_busy(keys);
  }

  Result<void> collect() {
    if (options_.repack) {
      if (auto ok = repack(); !ok) return ok;
    }
    return empty_trash();
  }

 private:
  void add(const storage::Removed& removed) {
    result_.trashed_packs += removed.packs;
    result_.trashed_bytes += removed.bytes;
    note(removed.kept_because);
  }

  void note(const std::optional<storage::Error>& why) {
    if (why && !result_.kept_because) result_.kept_because = engine::from_storage(*why).message;
  }

  /// One by one.
  Result<void> remove_all_but_busy(const std::vector<BackupKey>& keys) {
    for (const BackupKey& key : keys) {
      const auto removed = repository_.remove_backups({&key, 1}, options_.accept_shrinkage);
      if (removed) {
        ++result_.removed_backups;
        add(*removed);
        continue;
      }
      if (removed.error().code != storage::Errc::busy)
        return std::unexpected(removal_failed(removed.error()));
      if (job_.observer != nullptr)
        job_.observer->on_notice("kept for now: " + storage::to_string(removed.error()));
      for (RetentionVerdict& verdict : result_.backups) {
        if (verdict.id != key.id || verdict.instance != key.instance) continue;
        verdict.keep = true;
        verdict.reasons = {"in use"};
      }
    }
    return {};
  }

  Result<void> repack() {
    const auto repacked = repository_.repack({.stop = job_.stop});
    if (!repacked && repacked.error().code == storage::Errc::busy) {
      if (job_.observer != nullptr)
        job_.observer->on_notice("not repacked: " + storage::to_string(repacked.error()));
      return {};
    }
    if (!repacked) return std::unexpected(cancelled_or(repacked.error(), job_));
    note(repacked->left_because);
    if (repacked->packs == 0) return {};
    result_.repacked_packs = repacked->packs;
    result_.repacked_bytes = repacked->bytes;
    result_.copied_bytes = repacked->copied_bytes;
    add(repacked->removed);
    return {};
  }

  Result<void> empty_trash() {
    const auto before_ms = std::max<std::int64_t>(engine::unix_now_ms() - options_.trash_ms, 0);
    const auto emptied =
        repository_.empty_trash(static_cast<std::uint64_t>(before_ms), options_.accept_shrinkage);
    if (!emptied) return std::unexpected(engine::from_storage(emptied.error()));
    result_.freed_packs = emptied->packs;
    result_.freed_bytes = emptied->bytes;
    result_.rescued_packs = emptied->rescued_packs;
    note(emptied->kept_because);
    return {};
  }

  storage::Repository& repository_;
  const CollectionOptions& options_;
  const JobContext& job_;
  PruneResult& result_;
};

Result<std::unique_ptr<storage::Repository>> open(const RepositoryPlace& place,
                                                  bool keep_trash = true) {
  return engine::open_repository(place, false, IoBackend::automatic, engine::WithoutKey::refused,
                                 keep_trash);
}

std::vector<BackupKey> to_remove(const std::vector<RetentionVerdict>& verdicts) {
  std::vector<BackupKey> keys;
  for (const RetentionVerdict& verdict : verdicts) {
    if (!verdict.keep) keys.push_back({.instance = verdict.instance, .id = verdict.id});
  }
  return keys;
}

/// Removes what the verdicts say, and collects; with PruneResult::dry_run only counts.
Result<PruneResult> carry_out(storage::Repository& repository, PruneResult result,
                              const CollectionOptions& options, bool all_or_none,
                              const JobContext& job) {
  const auto keys = to_remove(result.backups);
  if (result.dry_run) {
    result.removed_backups = keys.size();
    return result;
  }
  Collection collection(repository, options, job, result);
  if (auto ok = collection.remove(keys, all_or_none); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = collection.collect(); !ok) return std::unexpected(std::move(ok.error()));
  return result;
}

/// Each instance by its own policy.
Result<std::vector<RetentionVerdict>> judge_each(const storage::Repository& repository,
                                                 const PruneOptions& options) {
  std::vector<RetentionVerdict> verdicts;
  for (const auto& [instance, policy] : options.policies) {
    const auto backups = candidates(repository, instance);
    if (!backups) return std::unexpected(backups.error());
    auto judged = judge_retention(*backups, policy, engine::unix_now_ms());
    if (!judged) return judged;
    std::ranges::move(*judged, std::back_inserter(verdicts));
  }
  return verdicts;
}

/// Whether a policy that is to be applied keeps nothing.
const RetentionPolicy* find_empty(const PruneOptions& options) {
  if (options.collect_only) return nullptr;
  if (options.policies.empty()) return options.policy.is_empty() ? &options.policy : nullptr;
  for (const auto& [instance, policy] : options.policies) {
    if (policy.is_empty()) return &policy;
  }
  return nullptr;
}

Result<std::vector<RetentionVerdict>> judge(const storage::Repository& repository,
                                            const PruneOptions& options) {
  if (options.collect_only) return std::vector<RetentionVerdict>();
  if (!options.policies.empty()) return judge_each(repository, options);
  const auto backups = candidates(repository, options.instance);
  if (!backups) return std::unexpected(backups.error());
  return judge_retention(*backups, options.policy, engine::unix_now_ms());
}

Result<storage::BackupKey> find_in_trash(const storage::Trash& trash, const std::string& backup) {
  std::vector<BackupKey> found;
  for (const storage::TrashedBackup& entry : trash.backups) {
    if (entry.key.id.starts_with(backup)) found.push_back(entry.key);
  }
  if (found.size() == 1) return found.front();
  return std::unexpected(
      Error{.stage = Stage::storage,
            .code = found.empty() ? "not_found" : "ambiguous",
            .message = fmt::format("backup {} {}", backup,
                                   found.empty() ? "is not in the trash; `sluice trash list` shows "
                                                   "what is"
                                                 : "fits more than one in the trash")});
}

}  // namespace

Result<PruneResult> prune(const PruneOptions& options, const JobContext& job) {
  if (const auto* empty = find_empty(options); empty != nullptr)  // before anything is opened
    return std::unexpected(judge_retention({}, *empty, 0).error());
  auto repository = open(options.repository, options.collection.trash_ms > 0);
  if (!repository) return std::unexpected(repository.error());
  PruneResult result{.dry_run = options.dry_run, .backups = {}};
  auto verdicts = judge(**repository, options);
  if (!verdicts) return std::unexpected(verdicts.error());
  result.backups = *std::move(verdicts);
  return carry_out(**repository, std::move(result), options.collection, false, job);
}

Result<PruneResult> remove(const RepositoryPlace& place, const std::vector<std::string>& backups,
                           bool dry_run, const CollectionOptions& collection,
                           const JobContext& job) {
  auto repository = open(place, collection.trash_ms > 0);
  if (!repository) return std::unexpected(repository.error());
  PruneResult result{.dry_run = dry_run, .backups = {}};
  for (const std::string& backup : backups) {
    const auto key = engine::resolve(**repository, backup);
    if (!key) return std::unexpected(key.error());
    const auto id = storage::parse_backup_id(key->id);
    result.backups.push_back(
        {.id = key->id,
         .instance = key->instance,
         .started_at_ms = static_cast<std::int64_t>(id.value_or(storage::BackupId()).time_ms),
         .keep = false,
         .reasons = {}});
  }
  return carry_out(**repository, std::move(result), collection, true, job);
}

Result<void> pin(const RepositoryPlace& place, const std::string& backup, const std::string& note) {
  auto repository = open(place);
  if (!repository) return std::unexpected(repository.error());
  const auto key = engine::resolve(**repository, backup);
  if (!key) return std::unexpected(key.error());
  if (auto ok = (*repository)->pin(*key, note); !ok)
    return std::unexpected(engine::from_storage(ok.error()));
  return {};
}

Result<void> unpin(const RepositoryPlace& place, const std::string& backup) {
  auto repository = open(place);
  if (!repository) return std::unexpected(repository.error());
  const auto key = engine::resolve(**repository, backup);
  if (!key) return std::unexpected(key.error());
  if (auto ok = (*repository)->unpin(*key); !ok)
    return std::unexpected(engine::from_storage(ok.error()));
  return {};
}

Result<TrashContents> trash(const RepositoryPlace& place) {
  auto repository = open(place);
  if (!repository) return std::unexpected(repository.error());
  const auto trash = (*repository)->trash();
  if (!trash) return std::unexpected(engine::from_storage(trash.error()));
  TrashContents contents{.backups = {}, .packs = trash->packs, .bytes = trash->bytes};
  for (const storage::TrashedBackup& entry : trash->backups) {
    contents.backups.push_back({.id = entry.key.id,
                                .instance = entry.key.instance,
                                .removed_at_ms = static_cast<std::int64_t>(entry.removed_at_ms)});
  }
  return contents;
}

Result<TrashEntry> restore_from_trash(const RepositoryPlace& place, const std::string& backup) {
  auto repository = open(place);
  if (!repository) return std::unexpected(repository.error());
  const auto trash = (*repository)->trash();
  if (!trash) return std::unexpected(engine::from_storage(trash.error()));
  const auto key = find_in_trash(*trash, backup);
  if (!key) return std::unexpected(key.error());
  if (auto ok = (*repository)->restore_from_trash(*key); !ok)
    return std::unexpected(engine::from_storage(ok.error()));
  return TrashEntry{.id = key->id, .instance = key->instance};
}

}  // namespace sluice
