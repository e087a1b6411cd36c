#pragma once

#include <cstdint>
#include <string>

#include "sluice/result.h"

namespace sluice::tools {

/// Milliseconds of "90s", "30m", "12h", "7d". Errors: "bad_option".
[[nodiscard]] Result<std::int64_t> parse_duration_ms(const std::string& text);

}  // namespace sluice::tools
