#include "service/calendar.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include "service/quantity.h"

namespace sluice::service {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using SysTime = date::sys_time<std::chrono::milliseconds>;

constexpr auto week = date::days(7);
constexpr unsigned minutes_a_day = 24 * 60;
constexpr std::array<std::string_view, 7> weekday_names = {"Mon", "Tue", "Wed", "Thu",
                                                           "Fri", "Sat", "Sun"};

/// FNV-1a, and the last mixing of MurmurHash3, as names often differ in their last letter only.
std::uint64_t hash_of(std::string_view name) noexcept {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char letter : name) {
    hash ^= static_cast<unsigned char>(letter);
    hash *= 0x0000'0100'0000'01b3;
  }
  hash = (hash ^ hash >> 33) * 0xff51'afd7'ed55'8ccd;
  hash = (hash ^ hash >> 33) * 0xc4ce'b9fe'1a85'ec53;
  return hash ^ hash >> 33;
}

/// From 0 to less than the window.
seconds place_within(unsigned window_minutes, std::string_view name) noexcept {
  const std::uint64_t window = std::uint64_t{std::min(window_minutes, 7 * minutes_a_day)} * 60;
  return seconds(static_cast<std::int64_t>((hash_of(name) >> 32) * window >> 32));
}

/// What the header says of times that a clock change skips or repeats.
date::sys_seconds resolve(const date::time_zone& zone, date::local_seconds time) {
  const date::local_info info = zone.get_info(time);
  if (info.result == date::local_info::nonexistent) return info.first.end;
  return date::sys_seconds(time.time_since_epoch() - info.first.offset);
}

date::local_days day_of(const date::time_zone& zone, SysTime time) {
  return date::floor<date::days>(zone.to_local(time));
}

std::size_t weekday_of(date::local_days day) { return date::weekday(day).iso_encoding() - 1; }

/// What is due on the chosen days about that of `time`: earlier and later ones than it, ascending.
std::vector<SysTime> due_about(const date::time_zone& zone, const Schedule& schedule,
                               std::string_view name, SysTime time) {
  const date::local_days today = day_of(zone, time);
  const seconds place = place_within(schedule.window_minutes, name);
  // A window may end on a later day, and a zone may skip a day when it moves over the date line.
  constexpr auto reach = week + date::days(8);
  std::vector<SysTime> due;
  for (auto day = today - reach; day <= today + reach; day += date::days(1)) {
    if (!schedule.days[weekday_of(day)]) continue;
    due.emplace_back(resolve(zone, day + minutes(schedule.start_minute)) + place);
  }
  return due;
}

/// A week of a schedule by hours: its first time, and the first of the next week.
struct HourWeek {
  SysTime begin;
  SysTime end;
};

HourWeek week_of(const date::time_zone& zone, const Schedule& schedule, std::string_view name,
                 SysTime time) {
  const unsigned window = std::min(schedule.window_minutes, schedule.every_hours * 60);
  const seconds place = place_within(window, name);
  const auto begin_of = [&](date::local_days monday) -> SysTime {
    return resolve(zone, monday) + place;
  };
  const date::local_days today = day_of(zone, time);
  date::local_days monday = today - date::days(weekday_of(today));
  while (begin_of(monday) > time) monday -= week;
  while (begin_of(monday + week) <= time) monday += week;  // a Monday that began twice
  return {.begin = begin_of(monday), .end = begin_of(monday + week)};
}

/// The zone, or none: one that the system does not know has no times.
const date::time_zone* find_zone(const std::string& name) {
  try {
    return date::locate_zone(name);
  } catch (const std::exception&) {
    return nullptr;
  }
}

std::string days_text(const std::array<bool, 7>& days) {
  if (std::ranges::all_of(days, std::identity())) return "every day";
  if (days == std::array{true, true, true, true, true, false, false}) return "Mon to Fri";
  std::string text;
  for (std::size_t day = 0; day < days.size(); ++day) {
    if (days[day]) text += fmt::format("{}{}", text.empty() ? "" : ", ", weekday_names[day]);
  }
  return text;
}

std::string hours_text(const Schedule& schedule) {
  const std::string hours =
      schedule.every_hours == 1 ? "hour" : fmt::format("{} hours", schedule.every_hours);
  std::string text = fmt::format("every {} from Monday 00:00 {}", hours, schedule.time_zone);
  if (schedule.window_minutes > 0)
    text += fmt::format(", each within {} minutes", schedule.window_minutes);
  return text;
}

}  // namespace

std::optional<std::int64_t> next_due(const Schedule& schedule, const std::string& name,
                                     std::int64_t after_ms) {
  const date::time_zone* const zone = find_zone(schedule.time_zone);
  if (zone == nullptr) return std::nullopt;
  const SysTime after{std::chrono::milliseconds(after_ms)};
  if (schedule.every_hours > 0) {
    const HourWeek in = week_of(*zone, schedule, name, after);
    const auto step = std::chrono::hours(schedule.every_hours);
    const SysTime next = in.begin + ((after - in.begin) / step + 1) * step;
    return std::min(next, in.end).time_since_epoch().count();
  }
  const auto due = due_about(*zone, schedule, name, after);
  const auto next = std::ranges::upper_bound(due, after);
  if (next == due.end()) return std::nullopt;
  return next->time_since_epoch().count();
}

std::optional<std::int64_t> last_due(const Schedule& schedule, const std::string& name,
                                     std::int64_t at_ms) {
  const date::time_zone* const zone = find_zone(schedule.time_zone);
  if (zone == nullptr) return std::nullopt;
  const SysTime at{std::chrono::milliseconds(at_ms)};
  if (schedule.every_hours > 0) {
    const HourWeek in = week_of(*zone, schedule, name, at);
    const auto step = std::chrono::hours(schedule.every_hours);
    return (in.begin + (at - in.begin) / step * step).time_since_epoch().count();
  }
  const auto due = due_about(*zone, schedule, name, at);
  const auto next = std::ranges::upper_bound(due, at);
  if (next == due.begin()) return std::nullopt;
  return std::prev(next)->time_since_epoch().count();
}

bool is_time_zone(const std::string& name) { return find_zone(name) != nullptr; }

std::string describe(const Schedule& schedule) {
  if (schedule.every_hours > 0) return hours_text(schedule);
  if (std::ranges::none_of(schedule.days, std::identity())) return "never";
  const std::string days = days_text(schedule.days);
  const std::string start = clock_text(schedule.start_minute);
  if (schedule.window_minutes == 0)
    return fmt::format("{} at {} {}", days, start, schedule.time_zone);
  const std::string end = clock_text(schedule.start_minute + schedule.window_minutes);
  return fmt::format("{} from {} to {} {}", days, start, end, schedule.time_zone);
}

}  // namespace sluice::service
