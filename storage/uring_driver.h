#pragma once

#include <expected>
#include <memory>
#include <string>

#include "storage/io_queue.h"

namespace sluice::storage {

/// Sets up a ring with the best flags that this kernel takes, asks it for the operations we need
/// and tries them on a nameless file in `directory`. Whatever fails, the text says what, and what
/// most likely forbids it.
[[nodiscard]] std::expected<std::unique_ptr<IoDriver>, std::string> make_uring_driver(
    unsigned entries, bool thread_bound, const std::string& directory);

}  // namespace sluice::storage
