#include "service/job.h"

#include <array>

namespace sluice::service {
namespace {

constexpr std::array<std::string_view, 11> names{"backup",  "verify",  "prune", "remove",
                                                 "analyze", "diff",    "plan",  "restore",
                                                 "clone",   "promote", "drill"};

}  // namespace

std::string_view to_string(JobType type) noexcept { return names[static_cast<std::size_t>(type)]; }

std::optional<JobType> parse_job_type(std::string_view text) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<JobType>(i);
  }
  return std::nullopt;
}

}  // namespace sluice::service
