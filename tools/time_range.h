#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/result.h"

namespace sluice::tools {

/// --from and --to: which backups, by when they were started.
struct TimeRange {
  std::string from;
  std::string to;
};

void add_time_range(CLI::App& app, TimeRange& range);

/// Unix milliseconds of one end; none when it is open. Errors: those of parse_time().
[[nodiscard]] Result<std::optional<std::int64_t>> time_of(const std::string& end);

}  // namespace sluice::tools
