#pragma once

#include <optional>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/file_lock.h"
#include "storage/head.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Takes the lock of a backup's writer if nobody holds it: then that writer is dead. nullopt while
/// it lives. Waits up to a second, as a killed writer's lock can outlive it by a tenth; not at all
/// for one whose process plainly lives, unless `patient`.
[[nodiscard]] Result<std::optional<FileLock>> take_lock_of_dead(const Layout& layout,
                                                                const BackupKey& key,
                                                                const Owner& owner, bool patient);

}  // namespace sluice::storage
