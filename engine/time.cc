// RFC 3339 times, the only form that goes in and out.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "sluice/catalog.h"

namespace sluice {
namespace {

/// Takes `digits` digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int value = 0;
  if (text.size() < digits) return std::nullopt;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + digits, value);
  if (ec != std::errc() || end != text.data() + digits || text[0] == '-') return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text[0] != wanted) return false;
  text.remove_prefix(1);
  return true;
}

struct Clock {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
};

std::optional<Clock> take_clock(std::string_view& text) {
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  Clock clock{.hour = *hour, .minute = *minute, .second = 0, .millisecond = 0};
  if (!take(text, ':')) return clock;
  const auto second = take_number(text, 2);
  if (!second || *second > 60) return std::nullopt;
  clock.second = *second;
  if (take(text, '.')) {
    int scale = 100;
    std::size_t digits = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      clock.millisecond += (text[0] - '0') * scale;
      scale /= 10;
      ++digits;
      text.remove_prefix(1);
    }
    if (digits == 0) return std::nullopt;
  }
  return clock;
}

/// The offset from UTC in minutes; no offset means UTC.
std::optional<int> take_offset(std::string_view& text) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return 0;
  const int sign = text[0] == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute) return std::nullopt;
  return sign * (*hour * 60 + *minute);
}

std::optional<std::int64_t> parse(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  std::int64_t ms = std::chrono::sys_days(date).time_since_epoch() / std::chrono::milliseconds(1);
  if (text.empty()) return ms;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  ms += ((clock->hour * 60 + clock->minute - *offset) * 60 + clock->second) * 1000LL;
  return ms + clock->millisecond;
}

}  // namespace

Result<std::int64_t> parse_time(const std::string& text) {
  if (const auto ms = parse(text)) return *ms;
  return std::unexpected(
      Error{.stage = Stage::usage,
            .code = "bad_time",
            .message = "not a time: \"" + text + "\"; write it like 2026-11-22T09:00:00Z"});
}

std::string format_time(std::int64_t unix_ms) {
  using namespace std::chrono;
  constexpr std::int64_t first_ms = -62'167'219'200'000;  // 0000-01-01
  constexpr std::int64_t last_ms = 253'402'300'799'999;   // 9999-12-31
  const sys_time<milliseconds> time{milliseconds(std::clamp(unix_ms, first_ms, last_ms))};
  const auto days = floor<std::chrono::days>(time);
  const year_month_day date(days);
  const hh_mm_ss clock(time - days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace sluice
