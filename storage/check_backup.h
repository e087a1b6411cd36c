#pragma once

#include <functional>
#include <memory>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/io_queue.h"
#include "storage/layout.h"
#include "storage/repository.h"

namespace sluice::storage {

/// What Repository::check_backup() does, and promises.
[[nodiscard]] Result<CheckStats> check_backup(std::shared_ptr<const Layout> layout,
                                              const IoOptions& io, const Backup& backup,
                                              const std::function<void(const Problem&)>& on_problem,
                                              const CheckOptions& options);

}  // namespace sluice::storage
