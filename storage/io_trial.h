#pragma once

#include <chrono>
#include <cstdint>

#include "storage/error.h"
#include "storage/file.h"
#include "storage/io_queue.h"

namespace sluice::storage {

struct IoTrialLimits {
  std::uint64_t bytes_max = 64U << 20;
  std::chrono::milliseconds time_max{1000};  ///< Of the writing, without the sync that follows.
};

/// What one way to do I/O gave, in megabytes (10^6) a second.
struct IoTrial {
  IoKind kind = IoKind::threads;
  bool direct = false;
  double write_mb_s = 0;  ///< With the fdatasync.
  double read_mb_s = 0;   ///< From the medium, or what lies before it: not from the page cache.
};

/// Writes a nameless file in `directory` as a pack is written, syncs it and reads it back.
/// `direct`: past the page cache; std::errc::invalid_argument where the file system cannot.
/// Errors: io_unavailable when `backend` is io_uring and that cannot be used; the system's.
[[nodiscard]] Result<IoTrial> try_io(const Directory& directory, IoBackend backend, bool direct,
                                     IoTrialLimits limits = {});

/// How long an fdatasync of 4 KiB takes, in milliseconds.
struct SyncTrial {
  double median_ms = 0;
  double max_ms = 0;
};

/// Tries up to 32 times within a second.
[[nodiscard]] Result<SyncTrial> try_sync(const Directory& directory);

}  // namespace sluice::storage
