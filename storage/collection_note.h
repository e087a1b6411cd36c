#pragma once

#include <cstdint>
#include <optional>

#include "storage/error.h"
#include "storage/layout.h"

/// gc/LAST: how many backups were listed when packs were last judged. A directory that is not
/// mounted, or a listing that is cut short, looks as if its backups were gone; then what they need
/// must not go.
namespace sluice::storage {

/// Errc::implausible when `listed` is less than four fifths of what was noted; nullopt otherwise,
/// and when there is no note or it is damaged.
[[nodiscard]] std::optional<Error> check_plausible(const Layout& layout, std::uint64_t listed);

/// Notes how many are listed now. Where that fails there is no note afterwards.
void note_listed(const Layout& layout, std::uint64_t listed);

/// Takes from the note what was removed while packs could not be judged.
void note_removed(const Layout& layout, std::uint64_t removed);

}  // namespace sluice::storage
