#pragma once

#include <chrono>
#include <string>

#include "storage/error.h"
#include "storage/file_lock.h"
#include "storage/layout.h"

namespace sluice::storage {

/// How long anyone waits for the repository's own lock.
inline constexpr std::chrono::seconds repository_lock_patience(30);

/// The repository's own lock. Errors: busy.
[[nodiscard]] inline Result<FileLock> lock_repository(const Layout& layout) {
  return FileLock::acquire(layout.root(), std::string(name::lock), repository_lock_patience);
}

}  // namespace sluice::storage
