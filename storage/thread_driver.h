#pragma once

#include <memory>

#include "storage/io_queue.h"

namespace sluice::storage {

/// Does each attempt with pread, pwrite, fdatasync or fsync on one of `threads` worker threads.
/// The workers take no signals. Destroyed only when nothing is in flight.
[[nodiscard]] std::unique_ptr<IoDriver> make_thread_driver(unsigned threads);

}  // namespace sluice::storage
