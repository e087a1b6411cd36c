#pragma once

#include "storage/error.h"
#include "storage/layout.h"
#include "storage/removal.h"
#include "storage/repository.h"

/// What removes for good what removals have put into the trash, and what brings it back.
namespace sluice::storage {

/// Has heaps of the trash go that were made before `before_ms` (Unix time). All manifests are read
/// again first: a pack that is named after all goes back to packs/, and where it is not known what
/// is needed, or less is listed than is plausible, nothing goes.
/// Precondition: the repository's lock is held. Errors: of a listing or of a removal, and then
/// nothing more is removed.
[[nodiscard]] Result<Emptied> empty_trash(const Layout& layout, std::uint64_t before_ms,
                                          const RemovalOptions& options, const AtStep& at_step);

/// Lists a removed backup again: its packs go back from the trash to where they were, then its
/// directory, then HEAD.removed becomes HEAD. After a crash on the way it is in the trash again
/// once the next backup has begun.
/// Precondition: the repository's lock is held.
/// Errors: not_found when it is not in the trash, or one of its packs is nowhere any more.
[[nodiscard]] Result<void> restore_from_trash(const Layout& layout, const BackupKey& key);

/// What a caller of Repository is told of it.
[[nodiscard]] Removed removed_of(const Cleared& cleared);

}  // namespace sluice::storage
