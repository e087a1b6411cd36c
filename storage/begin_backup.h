#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "storage/backup_writer.h"
#include "storage/error.h"
#include "storage/layout.h"
#include "storage/repository.h"

namespace sluice::storage {

/// What Repository::begin_backup() does, and promises.
[[nodiscard]] Result<std::unique_ptr<BackupWriter>> begin_backup(
    std::shared_ptr<const Layout> layout, const OpenOptions& options, std::string_view instance,
    const BeginOptions& begin);

/// How long anyone waits for the repository's own lock.
inline constexpr std::chrono::seconds repository_lock_patience(30);

}  // namespace sluice::storage
