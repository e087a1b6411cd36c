#pragma once

#include <cstdint>
#include <optional>

#include "engine/findings.h"
#include "engine/progress_meter.h"
#include "sluice/doctor.h"
#include "storage/file.h"

namespace sluice::engine {

/// Where files are written and tried.
struct DiskPlace {
  const storage::Directory* root = nullptr;     ///< Of the repository, or what is to become one.
  const storage::Directory* scratch = nullptr;  ///< Where nameless files are made.
  std::uint64_t free_bytes = 0;
  bool is_repository = false;  ///< The measurement is kept in `root`.
};

/// Whether io_uring works there, and if not, why; whether the kernel lets us pin buffers.
void examine_io(const DiskPlace& place, IoBackend io, Findings& findings);

/// Measures each way to write and read, and decides between them. Nothing when it could not be
/// done: a finding says why. Errors: "cancelled".
[[nodiscard]] Result<std::optional<DiskBench>> measure_disk(const DiskPlace& place, IoBackend io,
                                                            Findings& findings,
                                                            ProgressMeter& meter,
                                                            const JobContext& job);

/// Says what was measured before.
void tell_last_measurement(const DiskPlace& place, Findings& findings);

}  // namespace sluice::engine
