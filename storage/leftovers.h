#pragma once

#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"
#include "storage/removal.h"

namespace sluice::storage {

/// Removes what writers that are no longer there have left: uncommitted backups with their packs,
/// half-removed backups, temporary files.
///
/// A backup goes when its HEAD says running, its writer is gone (see judge_writer()) and HEAD still
/// says so; when it was fenced; when its removal had begun; or when it has neither HEAD nor
/// manifest. What is
/// damaged is never removed: a HEAD that cannot be read may be that of a good backup.
/// Which packs go with it, remove_backup_files() says.
///
/// Precondition: the repository's lock is held.
/// Errors: busy when a live writer backs up `instance`; any error of a listing or of a removal,
///         and then nothing more is removed.
[[nodiscard]] Result<Cleared> clear_leftovers(const Layout& layout, std::string_view instance,
                                              const RemovalOptions& options, const AtStep& at_step);

}  // namespace sluice::storage
