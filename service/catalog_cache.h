#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sluice/backup.h"
#include "sluice/repository.h"
#include "sluice/result.h"

namespace sluice::service {

/// Whether something of a backup is damaged or missing, or its last check said so.
[[nodiscard]] bool is_damaged(const BackupSummary& backup);

/// The committed backups of all repositories, as they were last listed: what pages and schedules
/// ask for, without reading a manifest each time. Threads: any.
class CatalogCache {
 public:
  /// A backup and the repository it is in, by the name that the configuration gives it.
  struct Entry {
    BackupSummary backup;
    std::string repository = {};
  };

  /// Lists a repository, or one instance in it, anew. Reads manifests: takes a while.
  /// Errors: as list(); then what was known stays.
  [[nodiscard]] Result<void> refresh(const std::string& repository, const RepositoryPlace& place,
                                     const std::optional<std::string>& instance = std::nullopt);
  /// Forgets repositories that are not among these.
  void keep_only(const std::vector<std::string>& repositories);

  [[nodiscard]] std::optional<Entry> find(const std::string& id) const;
  /// Of an instance, oldest first.
  [[nodiscard]] std::vector<Entry> of(const std::string& instance) const;
  [[nodiscard]] std::optional<Entry> newest(const std::string& instance) const;

  struct Totals {
    std::uint64_t backups = 0;
    std::uint64_t stored_bytes = 0;  ///< What the backups added to the repository.
    std::int64_t oldest_ms = 0;
    std::int64_t newest_ms = 0;
  };
  [[nodiscard]] Totals totals(const std::string& instance) const;
  [[nodiscard]] Totals totals_of_repository(const std::string& repository) const;

  /// Those that `wanted` takes, newest first by start, `limit` at most, after `before` (an id).
  [[nodiscard]] std::vector<Entry> select(const std::function<bool(const BackupSummary&)>& wanted,
                                          const std::optional<std::string>& before,
                                          std::size_t limit) const;

 private:
  std::mutex refreshing_;  ///< So that an older listing does not replace a newer one.
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_ = {};  ///< By id, which is by time.
  std::map<std::string, std::map<std::string, Entry*>> by_instance_ = {};
};

}  // namespace sluice::service
