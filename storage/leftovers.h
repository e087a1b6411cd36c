#pragma once

#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Removes what writers that are no longer there have left: uncommitted backups with their packs,
/// half-removed backups, temporary files.
///
/// A backup goes when its HEAD says running, its writer's lock can be taken and HEAD still says so
/// under that lock; when its removal had begun; or when it has neither HEAD nor manifest. What is
/// damaged is never removed: a HEAD that cannot be read may be that of a good backup.
/// A pack goes when every directory of its backup's id goes. One whose id has no directory stays
/// and is counted: this program leaves none such, so the directory was moved or is not mounted.
///
/// Precondition: the repository's lock is held.
/// Errors: busy when a live writer backs up `instance`; any error of a listing or of a removal,
///         and then nothing more is removed.
[[nodiscard]] Result<Cleared> clear_leftovers(const Layout& layout, std::string_view instance);

/// Unlists a backup for good, durably. From then on it is a leftover.
/// Precondition: the repository's lock or, while the backup is being written, its writer's is held.
[[nodiscard]] Result<void> mark_removed(const Layout& layout, const BackupKey& key);

/// Removes the packs of a backup that is marked removed, unless another instance has a backup of
/// the same id, then its directory, syncing what changed.
/// Precondition: the repository's lock is held.
[[nodiscard]] Result<void> remove_backup_files(const Layout& layout, const BackupKey& key);

}  // namespace sluice::storage
