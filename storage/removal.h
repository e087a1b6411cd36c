#pragma once

#include <functional>
#include <set>
#include <string_view>
#include <vector>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"

namespace sluice::storage {

using AtStep = std::function<void(std::string_view step)>;

/// Unlists a backup for good, durably. From then on it is a leftover.
/// Precondition: the repository's lock or, while the backup is being written, its writer's is held.
[[nodiscard]] Result<void> mark_removed(const Layout& layout, const BackupKey& key);

[[nodiscard]] Result<bool> is_marked_removed(const Layout& layout, const BackupKey& key);

/// Renames HEAD, if there is one, to HEAD.removed; durable either way. True when there was.
[[nodiscard]] Result<bool> rename_head(const Directory& directory);

struct RemovalOptions {
  /// Whether what was committed goes to the trash: packs that nobody names any more, and the
  /// directories of backups. What never was is removed in any case.
  bool keep_trash = true;
  /// Goes on although much less is listed than after the last collection.
  bool accept_shrinkage = false;
};

/// Removes the packs of `backups`, then their directories, syncing what changed.
///
/// A pack of a backup that was committed stays while a listed backup names it, or may; a tombstone
/// then takes the place of the directory. Packs of backups with a tombstone from earlier are judged
/// likewise, and the tombstone goes with the last of them; but only when other backups must be read
/// anyway. All packs stay of an id that another directory still has: a directory may have been
/// copied. Packs of an id that has neither directory nor tombstone stay and are counted: this
/// program leaves none such, so the directory was moved or is not mounted.
///
/// All packs stay, too, when more than a fifth of the backups that were listed at the last
/// collection are neither listed now nor among `backups`: Cleared::kept_because is then
/// Errc::implausible.
///
/// Order: packs, tombstones, manifests, directories: while a directory is there, the next writer
/// finds what is left to do.
/// Precondition: the repository's lock is held. Each of `backups` is marked removed, or has neither
///               HEAD nor manifest.
/// Errors: of a listing or of a removal, and then nothing more is removed.
[[nodiscard]] Result<Cleared> remove_backup_files(const Layout& layout,
                                                  const std::vector<BackupKey>& backups,
                                                  const RemovalOptions& options,
                                                  const AtStep& at_step);

}  // namespace sluice::storage
