#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/result.h"
#include "sluice/retention.h"

namespace sluice {

/// How removed backups, and packs that nobody needs, go.
struct CollectionOptions {
  /// How long they stay in the trash, from where they can be had back. 0: they are gone at once.
  std::int64_t trash_ms = std::int64_t{7} * 24 * 3600 * 1000;
  bool repack =
      true;  ///< Copies what is needed of packs that are mostly not, so that those can go.
  /// Goes on though more than a fifth of the backups that were listed at the last collection are
  /// not there any more.
  bool accept_shrinkage = false;
};

struct PruneOptions {
  RepositoryPlace repository;
  std::optional<std::string> instance;  ///< Only backups of this one are removed.
  RetentionPolicy policy;
  /// When there are any: the instances that are judged, each by its own policy; `instance` and
  /// `policy` are not looked at.
  std::map<std::string, RetentionPolicy> policies = {};
  bool collect_only = false;  ///< Removes no backup, and `policy` is not looked at.
  bool dry_run = true;        ///< Says what would be removed, and changes nothing.
  CollectionOptions collection = {};
};

/// What was, or with `dry_run` would be, removed.
struct PruneResult {
  bool dry_run = false;
  std::vector<RetentionVerdict> backups;  ///< Every backup that was judged, oldest first.
  std::uint64_t removed_backups = 0;
  std::uint64_t trashed_packs = 0;  ///< Packs that nobody needs any more: in the trash, or gone.
  std::uint64_t trashed_bytes = 0;
  std::uint64_t repacked_packs = 0;
  std::uint64_t repacked_bytes = 0;  ///< What those held; `copied_bytes` of it was needed.
  std::uint64_t copied_bytes = 0;
  std::uint64_t freed_packs = 0;  ///< Gone from the trash for good.
  std::uint64_t freed_bytes = 0;
  std::uint64_t rescued_packs = 0;  ///< Back from the trash, as a backup needs them after all.
  /// Why packs of removed backups stay for now; the next collection tries again.
  std::optional<std::string> kept_because = {};
};

/// Applies a retention policy: removes the backups that it does not keep, and collects what nobody
/// needs then. Backups that are being taken are not disturbed, nor are those of other machines; one
/// that a running backup builds on is kept until that has ended.
/// Errors: "empty_policy"; those of remove().
/// Durability: each removal is durable; a job that was cut short is finished by the next one, or by
///             the next backup.
[[nodiscard]] Result<PruneResult> prune(const PruneOptions& options, const JobContext& job);

/// Removes backups by name, as show() finds them, and collects. Errors: "not_found", "ambiguous",
/// "pinned", "busy"; then none is removed.
[[nodiscard]] Result<PruneResult> remove(const RepositoryPlace& repository,
                                         const std::vector<std::string>& backups, bool dry_run,
                                         const CollectionOptions& collection,
                                         const JobContext& job);

/// Keeps a backup from being removed by anything, until unpin(). `note` is for people.
/// Errors: "not_found", "ambiguous".
[[nodiscard]] Result<void> pin(const RepositoryPlace& repository, const std::string& backup,
                               const std::string& note);
[[nodiscard]] Result<void> unpin(const RepositoryPlace& repository, const std::string& backup);

struct TrashEntry {
  std::string id;
  std::string instance;
  std::int64_t removed_at_ms = 0;
};
struct TrashContents {
  std::vector<TrashEntry> backups;  ///< Oldest removal first.
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;  ///< Of the packs.
};
[[nodiscard]] Result<TrashContents> trash(const RepositoryPlace& repository);

/// Lists a removed backup again. `backup`: its id, or a unique prefix of one.
/// Errors: "not_found", "ambiguous".
[[nodiscard]] Result<TrashEntry> restore_from_trash(const RepositoryPlace& repository,
                                                    const std::string& backup);

[[nodiscard]] std::string to_json(const PruneResult& result);
[[nodiscard]] std::string to_json(const TrashContents& contents);

}  // namespace sluice
