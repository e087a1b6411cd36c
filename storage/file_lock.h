#pragma once

#include <chrono>
#include <string>

#include "storage/error.h"
#include "storage/file.h"

namespace sluice::storage {

/// An exclusive flock on a lock file, held until destroyed. The file itself stays.
///
/// Source:  flock(2). The kernel drops it when the last descriptor is closed, so also after
///          kill -9; with I/O in flight that can be a tenth of a second late, hence `patience`.
/// Threads: two holders exclude each other even within one process.
class FileLock {
 public:
  /// Makes the file if it is missing. Errc::busy when it is still held after `patience`.
  [[nodiscard]] static Result<FileLock> acquire(const Directory& directory, const std::string& name,
                                                std::chrono::milliseconds patience);

  /// Locks a file that is there, by what may only be read. Errc::not_found; busy as acquire().
  [[nodiscard]] static Result<FileLock> acquire_existing(const Directory& directory,
                                                         const std::string& name,
                                                         std::chrono::milliseconds patience);

  /// Whether `name` is still the file that is locked. Its last holder may have removed it, and then
  /// another file of that name can be locked by somebody else.
  [[nodiscard]] bool is_of(const Directory& directory, const std::string& name) const noexcept;

 private:
  explicit FileLock(Fd fd) noexcept : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace sluice::storage
