#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "service/config.h"

namespace sluice::service {

/// The words for parts of a policy, in the file and in the API.
inline constexpr std::array<std::string_view, 7> weekday_words = {"mon", "tue", "wed", "thu",
                                                                  "fri", "sat", "sun"};
/// 0 for "mon".
[[nodiscard]] std::optional<std::size_t> parse_weekday(std::string_view text) noexcept;

inline constexpr std::array<std::pair<std::string_view, unsigned RetentionPolicy::*>, 7>
    retention_counts = {{{"last", &RetentionPolicy::last},
                         {"hourly", &RetentionPolicy::hourly},
                         {"daily", &RetentionPolicy::daily},
                         {"weekly", &RetentionPolicy::weekly},
                         {"monthly", &RetentionPolicy::monthly},
                         {"yearly", &RetentionPolicy::yearly},
                         {"minimum", &RetentionPolicy::minimum}}};

/// "prefer_replica"; the file has '-' where the API has '_'.
[[nodiscard]] std::optional<ReadFrom> parse_read_from(std::string_view text) noexcept;
[[nodiscard]] std::string_view word_of(ReadFrom from) noexcept;
[[nodiscard]] std::optional<BackupLayout> parse_layout(std::string_view text) noexcept;
[[nodiscard]] std::string_view word_of(BackupLayout layout) noexcept;

/// "lz4", "zstd", "zstd:1" to "zstd:19", "none".
[[nodiscard]] bool is_compression(std::string_view text) noexcept;

/// What settings of a policy may be at most, in the file and in the API.
struct PolicyLimits {
  static constexpr unsigned window_minutes_max = 24 * 60;
  static constexpr unsigned every_hours_max = 7 * 24;
  static constexpr unsigned retention_count_max = 100'000;
  static constexpr std::int64_t within_ms_max = 36'500LL * 24 * 3600 * 1000;
  static constexpr unsigned retries_max = 20;
  static constexpr std::int64_t retry_delay_ms_min = 1000;
  static constexpr std::int64_t retry_delay_ms_max = 24LL * 3600 * 1000;
};

}  // namespace sluice::service
