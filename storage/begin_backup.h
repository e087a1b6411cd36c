#pragma once

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

}  // namespace sluice::storage
