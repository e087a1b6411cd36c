#pragma once

#include <cstdint>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/io_queue.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Writes the manifest of a backup and its copy, under the names of that number, and sets
/// Backup::manifest_digest. Durable when it succeeds; else neither has its name, or one has.
/// Returns how many of the two survived a failed sync by being written again.
/// Errors: EEXIST when there is one of that number; those of BlockFile and write_manifest().
[[nodiscard]] Result<std::uint32_t> write_manifest_files(IoQueue& queue, const Layout& layout,
                                                         Backup& backup, std::uint32_t number);

}  // namespace sluice::storage
