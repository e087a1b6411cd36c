#include "service/catalog_cache.h"

#include <algorithm>

#include "sluice/catalog.h"

namespace sluice::service {
namespace {

void count(CatalogCache::Totals& totals, const BackupSummary& backup) {
  if (totals.backups++ == 0) totals.oldest_ms = backup.started_at_ms;
  totals.stored_bytes += backup.new_bytes;
  totals.newest_ms = backup.started_at_ms;
}

}  // namespace

bool is_damaged(const BackupSummary& backup) {
  return backup.damage || (backup.verified && !backup.verified->ok);
}

Result<void> CatalogCache::refresh(const std::string& repository, const RepositoryPlace& place,
                                   const std::optional<std::string>& instance) {
  const std::lock_guard refreshing(refreshing_);
  auto listed = list({.repository = place, .instance = instance, .from_ms = {}, .to_ms = {}});
  if (!listed) return std::unexpected(listed.error());
  const std::lock_guard guard(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    const Entry& entry = at->second;
    const bool replaced =
        entry.repository == repository && (!instance || entry.backup.instance == *instance);
    if (replaced) by_instance_[entry.backup.instance].erase(at->first);
    at = replaced ? entries_.erase(at) : std::next(at);
  }
  for (BackupSummary& backup : *listed) {
    const std::string id = backup.id;
    Entry& entry = entries_[id] = {.backup = std::move(backup), .repository = repository};
    by_instance_[entry.backup.instance][id] = &entry;
  }
  return {};
}

void CatalogCache::keep_only(const std::vector<std::string>& repositories) {
  const std::lock_guard guard(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    const bool kept = std::ranges::find(repositories, at->second.repository) != repositories.end();
    if (!kept) by_instance_[at->second.backup.instance].erase(at->first);
    at = kept ? std::next(at) : entries_.erase(at);
  }
}

std::optional<CatalogCache::Entry> CatalogCache::find(const std::string& id) const {
  const std::lock_guard guard(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

std::vector<CatalogCache::Entry> CatalogCache::of(const std::string& instance) const {
  const std::lock_guard guard(mutex_);
  std::vector<Entry> found;
  const auto ids = by_instance_.find(instance);
  if (ids == by_instance_.end()) return found;
  for (const auto& [id, entry] : ids->second) found.push_back(*entry);
  return found;
}

std::optional<CatalogCache::Entry> CatalogCache::newest(const std::string& instance) const {
  const std::lock_guard guard(mutex_);
  const auto ids = by_instance_.find(instance);
  if (ids == by_instance_.end() || ids->second.empty()) return std::nullopt;
  return *ids->second.rbegin()->second;
}

CatalogCache::Totals CatalogCache::totals(const std::string& instance) const {
  const std::lock_guard guard(mutex_);
  Totals totals;
  const auto ids = by_instance_.find(instance);
  if (ids == by_instance_.end()) return totals;
  for (const auto& [id, entry] : ids->second) count(totals, entry->backup);
  return totals;
}

CatalogCache::Totals CatalogCache::totals_of_repository(const std::string& repository) const {
  const std::lock_guard guard(mutex_);
  Totals totals;
  for (const auto& [id, entry] : entries_) {
    if (entry.repository == repository) count(totals, entry.backup);
  }
  return totals;
}

std::vector<CatalogCache::Entry> CatalogCache::select(
    const std::function<bool(const BackupSummary&)>& wanted,
    const std::optional<std::string>& before, std::size_t limit) const {
  const std::lock_guard guard(mutex_);
  std::vector<Entry> found;
  auto at = before ? entries_.lower_bound(*before) : entries_.end();
  while (at != entries_.begin() && found.size() < limit) {
    --at;
    if (wanted(at->second.backup)) found.push_back(at->second);
  }
  return found;
}

}  // namespace sluice::service
