#pragma once

#include <memory>
#include <string>

#include "service/api.h"
#include "service/catalog_cache.h"

namespace sluice::service {

/// A listed backup and where it is.
struct BackupAtHand {
  CatalogCache::Entry entry;
  const RepositoryEntry& repository;
};

/// Calls `answer` with the backup of that id (all of it); 404 when it is not listed.
template <class Answer>
HttpResponse with_backup(Call& call, const std::string& id, Answer answer) {
  const auto config = call.core.config();
  const auto entry = call.core.catalog.find(id);
  if (!entry) return no_such("backup", id);
  const RepositoryEntry* repository = config->repository(entry->repository);
  if (repository == nullptr) return no_such("repository", entry->repository);
  const BackupAtHand at{.entry = *entry, .repository = *repository};
  return answer(at);
}

/// With the one that the path names.
template <class Answer>
HttpResponse with_backup(Call& call, Answer answer) {
  return with_backup(call, call.part("id"), std::move(answer));
}

}  // namespace sluice::service
