#pragma once

#include <memory>
#include <string>

#include "engine/manifest.h"
#include "sluice/backup.h"
#include "sluice/job.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

[[nodiscard]] storage::IoBackend storage_backend(IoBackend io) noexcept;

/// Opens the repository of a job. `create`: makes one of a missing or empty directory.
/// `keep_trash`: what is removed can be had back for a while.
[[nodiscard]] Result<std::unique_ptr<storage::Repository>> open_repository(const std::string& path,
                                                                           bool create,
                                                                           IoBackend io,
                                                                           bool keep_trash = true);

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
