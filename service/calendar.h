#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/result.h"

namespace sluice::service {

/// When something is done: on weekdays within a window, or every so many hours.
struct Schedule {
  std::array<bool, 7> days{true, true, true, true, true, true, true};  ///< From Monday.
  unsigned start_minute = 2 * 60;  ///< Of the day, in the time zone.
  unsigned window_minutes = 60;    ///< The start lies within; where in it, is the name's hash.
  /// 1 to 168: hours that pass, so never longer apart, from each midnight of Monday in the zone on;
  /// `days` and `start_minute` do not count then, the window is cut to that long. 0: by days.
  unsigned every_hours = 0;
  std::string time_zone = "UTC";  ///< IANA name.

  friend bool operator==(const Schedule&, const Schedule&) = default;
};

/// The first time after `after_ms` that is due for `name`, Unix milliseconds. The place within the
/// window depends on the name alone, so that a fleet is spread and a restart changes nothing. A
/// start that a clock change skips is the first moment after the gap; one that it repeats is the
/// first of the two; the window is as long as ever. None when no day is chosen, or when the system
/// does not know the zone. Thread-safe.
[[nodiscard]] std::optional<std::int64_t> next_due(const Schedule& schedule,
                                                   const std::string& name, std::int64_t after_ms);
/// The newest time at or before `at_ms` that was due.
[[nodiscard]] std::optional<std::int64_t> last_due(const Schedule& schedule,
                                                   const std::string& name, std::int64_t at_ms);

/// Whether the system knows the zone.
[[nodiscard]] bool is_time_zone(const std::string& name);

/// The schedule in words: "Mon, Wed, Fri from 02:00 to 03:00 Europe/Berlin".
[[nodiscard]] std::string describe(const Schedule& schedule);

}  // namespace sluice::service
