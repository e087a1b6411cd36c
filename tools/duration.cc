#include "duration.h"

#include <charconv>

namespace sluice::tools {

Result<std::int64_t> parse_duration_ms(const std::string& text) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [unit, ec] = std::from_chars(text.data(), end, count);
  constexpr std::int64_t count_max = 1'000'000;
  if (ec == std::errc() && unit + 1 == end && count >= 0 && count <= count_max) {
    switch (*unit) {
      case 's': return count * 1000;
      case 'm': return count * 60'000;
      case 'h': return count * 3'600'000;
      case 'd': return count * 86'400'000;
      default: break;
    }
  }
  return std::unexpected(
      Error{.stage = Stage::usage,
            .code = "bad_option",
            .message = "\"" + text + "\" is no duration: use 12h, 7d, 30m or 90s"});
}

}  // namespace sluice::tools
