#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::service {

/// What a job wrote to its output, as far as it was wanted.
struct CapturedOutput {
  std::string text;
  enum class End { whole, size, time } end = End::whole;  ///< Why nothing more was taken.
  Result<void> outcome;                                   ///< Of the job; only when whole.
};

/// Runs a job that writes to the path it is given, and takes `bytes_max` of that at most, for as
/// long as `time_max`. What it would write after that it is told to leave.
/// Threads: blocks; the job runs on another. SIGPIPE has to be ignored.
[[nodiscard]] CapturedOutput capture(
    std::size_t bytes_max, std::chrono::milliseconds time_max,
    const std::function<Result<void>(const std::string& path, const JobContext&)>& job);

}  // namespace sluice::service
