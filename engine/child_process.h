#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "sluice/result.h"

namespace sluice::engine {

struct ChildOutput {
  int exit_code = 0;
  std::string out;  ///< Of what it printed, the first 64 KiB.
};

/// Runs a program to its end, without standard input; what it says on standard error goes where
/// ours goes. It has no signal blocked, whatever we block. Errors: "cannot_start"; "cancelled": it
/// is sent SIGTERM, and SIGKILL five seconds later.
[[nodiscard]] Result<ChildOutput> run_child(const std::vector<std::string>& command,
                                            const std::map<std::string, std::string>& environment,
                                            const std::stop_token& stop);

}  // namespace sluice::engine
