#pragma once

#include <chrono>
#include <stop_token>
#include <string>

namespace sluice::service {

/// Runs /bin/sh -c `command` with `input` on standard input, and waits for its end. Its output goes
/// nowhere, its errors where ours go; it has none of our descriptors and no signal blocked. Past
/// the limit, or when it is to stop, it is killed with its process group. Empty when it ended well;
/// else why not.
[[nodiscard]] std::string run_notify_command(const std::string& command, const std::string& input,
                                             std::chrono::milliseconds limit,
                                             const std::stop_token& stop);

}  // namespace sluice::service
