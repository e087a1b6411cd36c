#pragma once

#include <memory>

#include "storage/error.h"
#include "storage/io_queue.h"

namespace sluice::storage {

/// Does each attempt with pread, pwrite, fdatasync or fsync on one of `threads` worker threads.
/// The workers take no signals. Destroyed only when nothing is in flight.
/// Makes do with fewer threads when no more can be started. Errors: the system's, when none can.
[[nodiscard]] Result<std::unique_ptr<IoDriver>> make_thread_driver(unsigned threads);

}  // namespace sluice::storage
