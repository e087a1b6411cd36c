#pragma once

#include <optional>
#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"

/// PINNED, beside a backup: while it is there nothing in this layer removes that backup.
namespace sluice::storage {

/// The pin of a backup, if it has one. A damaged file counts as one. Errors: of reading it.
[[nodiscard]] Result<std::optional<Pin>> read_pin(const Layout& layout, const BackupKey& key);
/// Durable when it returns. Takes the place of a pin that is there.
[[nodiscard]] Result<void> write_pin(const Layout& layout, const BackupKey& key,
                                     std::string_view note);
/// Durable when it returns. Nothing when there is none.
[[nodiscard]] Result<void> remove_pin(const Layout& layout, const BackupKey& key);

}  // namespace sluice::storage
