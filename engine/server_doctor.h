#pragma once

#include <string>

#include "engine/findings.h"
#include "engine/progress_meter.h"
#include "sluice/doctor.h"

namespace sluice::engine {

/// Asks the server what a backup of it will meet. Gives its address without secrets.
/// Errors: an address that is none; "cancelled". A server that cannot be reached is a finding.
[[nodiscard]] Result<std::string> examine_server(const ServerAddress& address, Findings& findings,
                                                 ProgressMeter& meter, const JobContext& job);

}  // namespace sluice::engine
