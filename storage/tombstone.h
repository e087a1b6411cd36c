#pragma once

#include <vector>

#include "storage/backup_id.h"
#include "storage/error.h"
#include "storage/layout.h"

/// Tombstones: empty files gc/removed-<backup id>, one for each backup whose directory is gone
/// while packs of it stay, because other backups name them. They tell such packs from those of a
/// backup whose directory was only moved away.
namespace sluice::storage {

[[nodiscard]] Result<bool> is_buried(const Layout& layout, const BackupId& id);
/// Sorted. Empty where there is no gc/.
[[nodiscard]] Result<std::vector<BackupId>> buried_ids(const Layout& layout);
/// Durable when it returns. No error when it is there already.
[[nodiscard]] Result<void> bury(const Layout& layout, const BackupId& id);
/// Durable when it returns.
[[nodiscard]] Result<void> remove_tombstones(const Layout& layout,
                                             const std::vector<BackupId>& ids);

}  // namespace sluice::storage
