#pragma once

#include <string_view>
#include <vector>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Removes what writers that are no longer there have left: uncommitted backups with their packs,
/// half-removed backups, packs of no backup, temporary files.
///
/// A backup goes when its HEAD says running and its writer's lock can be taken, when its removal
/// had begun, or when it has neither HEAD nor manifest. What is damaged is never removed: a HEAD
/// that cannot be read may be that of a good backup.
///
/// Precondition: the repository's lock is held.
/// Errors: busy when a live writer backs up `instance`; any error of a listing or of a removal,
///         and then nothing more is removed.
[[nodiscard]] Result<Cleared> clear_leftovers(const Layout& layout, std::string_view instance);

/// Unlists a backup for good, durably. From then on it is a leftover.
[[nodiscard]] Result<void> mark_removed(const Layout& layout, const BackupKey& key);

/// Removes the packs of `keys`, then their directories, syncing what changed.
/// Precondition: the repository's lock is held; the backups are not listed any more.
[[nodiscard]] Result<void> remove_backups(const Layout& layout, std::vector<BackupKey> keys,
                                          Cleared& cleared);

}  // namespace sluice::storage
