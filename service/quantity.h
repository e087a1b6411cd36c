#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::service {

/// Milliseconds of "90s", "30m", "12h", "7d", as the program's options have them.
[[nodiscard]] std::optional<std::int64_t> parse_duration_ms(std::string_view text) noexcept;
/// The same the other way: the largest unit that leaves no rest. Rounded down to seconds.
[[nodiscard]] std::string duration_text(std::int64_t duration_ms);

/// Bytes of "384M", "384MiB", "1G", "65536": factors of 1024, as for --memory.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// Minutes of the day of "02:00", "23:59".
[[nodiscard]] std::optional<unsigned> parse_clock_time(std::string_view text) noexcept;
[[nodiscard]] std::string clock_text(unsigned minute_of_day);

}  // namespace sluice::service
