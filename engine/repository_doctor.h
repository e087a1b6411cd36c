#pragma once

#include <optional>

#include "engine/findings.h"
#include "engine/progress_meter.h"
#include "sluice/doctor.h"

namespace sluice::engine {

/// Looks at the directory `options.place` and at the repository in it, if there is one. Changes
/// nothing there but the file IO. Gives the measurement, where one was asked for and could be made.
/// Errors: "cancelled".
[[nodiscard]] Result<std::optional<DiskBench>> examine_repository(const DoctorOptions& options,
                                                                  Findings& findings,
                                                                  ProgressMeter& meter,
                                                                  const JobContext& job);

}  // namespace sluice::engine
