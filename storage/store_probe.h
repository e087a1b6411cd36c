#pragma once

#include "storage/object_store.h"

namespace sluice::storage {

/// Whether the store does what leases and commits rest on: that of two who create an object, or
/// replace the same version of it, one is told so, and that what was put is read and listed at
/// once. Some servers accept the conditions of a request and take no notice of them.
///
/// Writes, and removes again, one object "tmp/probe-<16 hex digits>".
/// Errors: std::errc::operation_not_supported, saying what it did not do; those of the store.
[[nodiscard]] Result<void> probe_conditional_writes(ObjectStore& store);

}  // namespace sluice::storage
