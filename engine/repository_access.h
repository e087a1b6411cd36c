#pragma once

#include <memory>
#include <string>

#include "engine/manifest.h"
#include "sluice/backup.h"
#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

[[nodiscard]] storage::IoBackend storage_backend(IoBackend io) noexcept;

/// Whether an encrypted repository may be opened without its key, for what needs none.
enum class WithoutKey : std::uint8_t { refused, allowed };

/// Opens the repository of a job. `create`: makes one of a missing or empty directory, never an
/// encrypted one: where a key is given, there has to be a repository. `keep_trash`: what is removed
/// can be had back for a while.
[[nodiscard]] Result<std::unique_ptr<storage::Repository>> open_repository(
    const RepositoryPlace& place, bool create, IoBackend io,
    WithoutKey without_key = WithoutKey::refused, bool keep_trash = true);

/// Finds a backup by id, unique prefix, LATEST, INSTANCE@LATEST or INSTANCE@<time>.
[[nodiscard]] Result<storage::BackupKey> resolve(const storage::Repository& repository,
                                                 const std::string& backup);

/// A backup with both halves of its manifest.
struct OpenBackup {
  storage::Backup stored;
  Manifest manifest;
};
[[nodiscard]] Result<OpenBackup> open_backup(const storage::Repository& repository,
                                             const storage::BackupKey& key);

/// What catalog and backup results show of it. `new_bytes` is what its packs take.
[[nodiscard]] BackupSummary summarize(const storage::Repository& repository,
                                      const storage::BackupKey& key, const Manifest& manifest,
                                      std::uint64_t stored_bytes, std::uint64_t new_bytes);

}  // namespace sluice::engine
