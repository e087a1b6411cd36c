#pragma once

#include <functional>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/io_queue.h"
#include "storage/layout.h"
#include "storage/repository.h"

namespace sluice::storage {

/// What Repository::check_backup() does, and promises. Uses `queue` for itself.
[[nodiscard]] CheckStats check_backup(const Layout& layout, IoQueue& queue, const Backup& backup,
                                      const std::function<void(const Problem&)>& on_problem);

}  // namespace sluice::storage
