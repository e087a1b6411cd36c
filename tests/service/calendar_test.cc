#include "service/calendar.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "sluice/catalog.h"

namespace sluice::service {
namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::int64_t day_ms = 24 * hour_ms;

std::int64_t time_of(const std::string& text) { return parse_time(text).value(); }

std::string text_of(std::optional<std::int64_t> time_ms) {
  return time_ms ? format_time(*time_ms) : "none";
}

/// Every day at 02:00 sharp.
Schedule daily(const std::string& zone, unsigned start_minute = 120) {
  Schedule schedule;
  schedule.start_minute = start_minute;
  schedule.window_minutes = 0;
  schedule.time_zone = zone;
  return schedule;
}

Schedule hourly(const std::string& zone, unsigned hours) {
  Schedule schedule = daily(zone);
  schedule.every_hours = hours;
  return schedule;
}

std::vector<std::string> times_of(const Schedule& schedule, const std::string& from,
                                  std::size_t count) {
  std::vector<std::string> times;
  std::int64_t at = time_of(from);
  while (times.size() < count) {
    const auto next = next_due(schedule, "x", at);
    if (!next) return times;
    at = *next;
    times.push_back(format_time(at));
  }
  return times;
}

using Times = std::vector<std::string>;

TEST(Calendar, IsDueAtTheLocalTimeOfEachChosenDay) {
  Schedule schedule = daily("Europe/Berlin");
  schedule.days = {true, false, true, false, false, false, true};
  EXPECT_EQ(times_of(schedule, "2026-11-22T02:00:00Z", 4),
            (Times{"2026-11-23T01:00:00.000Z", "2026-11-25T01:00:00.000Z",
                   "2026-11-29T01:00:00.000Z", "2026-11-30T01:00:00.000Z"}));
}

TEST(Calendar, TakesTheDayOfTheZoneNotOfUtc) {
  Schedule schedule = daily("Pacific/Auckland");  // 13 hours ahead in November
  schedule.days = {true, false, false, false, false, false, false};
  EXPECT_EQ(times_of(schedule, "2026-11-20T00:00:00Z", 2),
            (Times{"2026-11-22T13:00:00.000Z", "2026-11-29T13:00:00.000Z"}));
}

TEST(Calendar, NextIsAfterAndLastIsAtTheVeryMoment) {
  const Schedule schedule = daily("UTC");
  const std::int64_t due = time_of("2026-11-25T02:00:00Z");
  EXPECT_EQ(next_due(schedule, "x", due - 1), due);
  EXPECT_EQ(next_due(schedule, "x", due), due + day_ms);
  EXPECT_EQ(last_due(schedule, "x", due), due);
  EXPECT_EQ(last_due(schedule, "x", due - 1), due - day_ms);
}

TEST(Calendar, SkippedStartIsTheFirstMomentAfterTheGap) {
  // On 29 March 2026 Berlin goes from 02:00 to 03:00.
  EXPECT_EQ(
      times_of(daily("Europe/Berlin", 150), "2026-03-28T00:00:00Z", 3),
      (Times{"2026-03-28T01:30:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"}));
  EXPECT_EQ(text_of(last_due(daily("Europe/Berlin", 150), "x", time_of("2026-03-29T12:00:00Z"))),
            "2026-03-29T01:00:00.000Z");
}

TEST(Calendar, RepeatedStartIsTheFirstOfTheTwo) {
  // On 25 October 2026 Berlin goes from 03:00 back to 02:00.
  EXPECT_EQ(times_of(daily("Europe/Berlin", 150), "2026-10-24T12:00:00Z", 2),
            (Times{"2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"}));
  EXPECT_EQ(text_of(last_due(daily("Europe/Berlin", 150), "x", time_of("2026-10-25T01:45:00Z"))),
            "2026-10-25T00:30:00.000Z");
}

TEST(Calendar, MidnightThatIsSkippedIsOne) {
  // São Paulo went from 00:00 to 01:00 on 4 November 2018.
  EXPECT_EQ(times_of(daily("America/Sao_Paulo", 0), "2018-11-03T12:00:00Z", 2),
            (Times{"2018-11-04T03:00:00.000Z", "2018-11-05T02:00:00.000Z"}));
  // And from 00:00 back to 23:00 on 18 February of that year.
  EXPECT_EQ(times_of(daily("America/Sao_Paulo", 23 * 60 + 30), "2018-02-17T12:00:00Z", 2),
            (Times{"2018-02-18T01:30:00.000Z", "2018-02-19T02:30:00.000Z"}));
}

TEST(Calendar, HalfHourChanges) {
  // Lord Howe goes from 02:00 to 02:30 on 4 October 2026, and back from 02:00 to 01:30 on 5 April.
  EXPECT_EQ(times_of(daily("Australia/Lord_Howe", 135), "2026-10-03T00:00:00Z", 2),
            (Times{"2026-10-03T15:30:00.000Z", "2026-10-04T15:15:00.000Z"}));
  EXPECT_EQ(times_of(daily("Australia/Lord_Howe", 105), "2026-04-04T00:00:00Z", 2),
            (Times{"2026-04-04T14:45:00.000Z", "2026-04-05T15:15:00.000Z"}));
}

TEST(Calendar, SkippedDayLosesNothingAndDoublesNothing) {
  // Samoa had no 30 December 2011.
  EXPECT_EQ(times_of(daily("Pacific/Apia"), "2011-12-29T10:00:00Z", 4),
            (Times{"2011-12-29T12:00:00.000Z", "2011-12-30T10:00:00.000Z",
                   "2011-12-30T12:00:00.000Z", "2011-12-31T12:00:00.000Z"}));
}

TEST(Calendar, HoursAreCountedFromMidnightOfMonday) {
  EXPECT_EQ(times_of(hourly("Asia/Kolkata", 50), "2026-11-22T18:30:00Z", 4),
            (Times{"2026-11-24T20:30:00.000Z", "2026-11-26T22:30:00.000Z",
                   "2026-11-29T00:30:00.000Z", "2026-11-29T18:30:00.000Z"}));
  EXPECT_EQ(text_of(last_due(hourly("Asia/Kolkata", 50), "x", time_of("2026-11-22T18:29:59Z"))),
            "2026-11-22T00:30:00.000Z");
}

TEST(Calendar, HoursThatPassAreCountedOverAChange) {
  // Sunday of 23 hours: 00:00, 07:00, 13:00, 19:00 on the clock, and Monday 00:00.
  EXPECT_EQ(
      times_of(hourly("Europe/Berlin", 6), "2026-03-28T22:59:59Z", 5),
      (Times{"2026-03-28T23:00:00.000Z", "2026-03-29T05:00:00.000Z", "2026-03-29T11:00:00.000Z",
             "2026-03-29T17:00:00.000Z", "2026-03-29T22:00:00.000Z"}));
  // Sunday of 25 hours: the hour that comes twice has two.
  EXPECT_EQ(
      times_of(hourly("Europe/Berlin", 1), "2026-10-24T23:30:00Z", 3),
      (Times{"2026-10-25T00:00:00.000Z", "2026-10-25T01:00:00.000Z", "2026-10-25T02:00:00.000Z"}));
}

TEST(Calendar, PlaceInTheWindowIsTheSameInEveryBuild) {
  Schedule schedule = daily("UTC");
  schedule.window_minutes = 60;
  const std::int64_t start = time_of("2026-11-25T00:00:00Z");
  EXPECT_EQ(text_of(next_due(schedule, "orders", start)), "2026-11-25T02:11:47.000Z");
  EXPECT_EQ(text_of(next_due(schedule, "sessions", start)), "2026-11-25T02:27:45.000Z");
  EXPECT_EQ(text_of(next_due(schedule, "", start)), "2026-11-25T02:56:12.000Z");
}

TEST(Calendar, FleetIsSpreadOverTheWindow) {
  Schedule schedule = daily("UTC");
  schedule.window_minutes = 60;
  std::array<unsigned, 6> tenths{};
  std::set<std::int64_t> places;
  const std::int64_t start = time_of("2026-11-25T02:00:00Z");
  for (int number = 0; number < 600; ++number) {
    const auto due = next_due(schedule, "cache-" + std::to_string(number), start - 1);
    ASSERT_TRUE(due && *due >= start && *due < start + hour_ms);
    ++tenths[static_cast<std::size_t>((*due - start) / (10 * minute_ms))];
    places.insert(*due);
  }
  for (const unsigned count : tenths) EXPECT_NEAR(count, 100, 35);
  EXPECT_GT(places.size(), 500U);
}

TEST(Calendar, WindowIsAsLongOnADayOfAChange) {
  Schedule schedule = daily("Europe/Berlin");
  schedule.window_minutes = 60;
  // All of 02:00 to 03:00 is skipped: it is the hour behind.
  const std::int64_t start = time_of("2026-03-29T01:00:00Z");
  std::set<std::int64_t> places;
  for (int number = 0; number < 100; ++number) {
    const auto due = next_due(schedule, std::to_string(number), start - hour_ms);
    ASSERT_TRUE(due && *due >= start && *due < start + hour_ms) << text_of(due);
    places.insert(*due);
  }
  EXPECT_GT(places.size(), 90U);
}

TEST(Calendar, WindowOverMidnightBelongsToTheDayOfItsStart) {
  Schedule schedule = daily("UTC", 23 * 60 + 30);
  schedule.window_minutes = 120;
  schedule.days = {false, false, true, false, false, false, false};  // 25 November 2026
  const std::int64_t start = time_of("2026-11-25T23:30:00Z");
  bool is_any_behind_midnight = false;
  for (int number = 0; number < 50; ++number) {
    const std::string name = std::to_string(number);
    const auto due = next_due(schedule, name, start - 1);
    ASSERT_TRUE(due && *due >= start && *due < start + 2 * hour_ms);
    is_any_behind_midnight |= *due >= time_of("2026-11-26");
    EXPECT_EQ(last_due(schedule, name, *due), *due);
    EXPECT_EQ(next_due(schedule, name, *due), *due + 7 * day_ms);
  }
  EXPECT_TRUE(is_any_behind_midnight);
}

/// Walks a year by next_due() and holds what every schedule has to; returns the times.
std::vector<std::int64_t> walk_a_year(const Schedule& schedule, const std::string& name) {
  std::vector<std::int64_t> times;
  const std::int64_t end = time_of("2027-01-05");
  for (std::int64_t at = time_of("2025-12-28"); at < end;) {
    const auto next = next_due(schedule, name, at);
    if (!next || *next <= at) {
      ADD_FAILURE() << describe(schedule) << ": after " << format_time(at) << " " << text_of(next);
      return times;
    }
    // Whatever the moment between two due times, both are found.
    for (const std::int64_t moment : {at, at + 1, (at + *next) / 2, *next - 1}) {
      if (moment < at || moment >= *next) continue;
      EXPECT_EQ(next_due(schedule, name, moment), next) << format_time(moment);
      const auto last = last_due(schedule, name, moment);
      if (!times.empty()) {
        EXPECT_EQ(last, times.back()) << format_time(moment);
      }
      EXPECT_TRUE(last && *last <= moment) << format_time(moment);
    }
    EXPECT_EQ(last_due(schedule, name, *next), next);
    times.push_back(*next);
    at = *next;
  }
  return times;
}

constexpr std::array zones = {"UTC",          "Europe/Berlin",       "America/New_York",
                              "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland",
                              "Africa/Cairo", "America/Havana",      "Pacific/Chatham"};

TEST(Calendar, EachDayOfAYearIsDueOnce) {
  for (const char* zone : zones) {
    for (const unsigned start : {0U, 90U, 150U, 23 * 60 + 45U}) {
      for (const unsigned window : {0U, 60U, 24 * 60U}) {
        SCOPED_TRACE(std::string(zone) + " " + std::to_string(start));
        Schedule schedule = daily(zone, start);
        schedule.window_minutes = window;
        const auto times = walk_a_year(schedule, "orders");
        EXPECT_NEAR(static_cast<double>(times.size()), 373, 1);
        for (std::size_t i = 1; i < times.size(); ++i)
          EXPECT_LE(std::abs(times[i] - times[i - 1] - day_ms), hour_ms) << format_time(times[i]);
      }
    }
  }
}

TEST(Calendar, ChosenWeekdaysOfAYearAreDueOnce) {
  Schedule schedule = daily("America/New_York");
  schedule.days = {false, true, false, false, true, false, false};
  EXPECT_EQ(walk_a_year(schedule, "orders").size(), 2 * 53U + 1U);  // the 28th was a Sunday
}

TEST(Calendar, HoursOfAYearAreNeverFurtherApart) {
  for (const char* zone : zones) {
    for (const unsigned hours : {1U, 5U, 6U, 24U, 100U, 168U}) {
      for (const unsigned window : {0U, 60U, 2000U}) {
        SCOPED_TRACE(std::string(zone) + " " + std::to_string(hours));
        Schedule schedule = hourly(zone, hours);
        schedule.window_minutes = window;
        const auto times = walk_a_year(schedule, "orders");
        ASSERT_GE(times.size(), 53U);
        for (std::size_t i = 1; i < times.size(); ++i)
          EXPECT_LE(times[i] - times[i - 1], hours * hour_ms) << format_time(times[i]);
      }
    }
  }
}

TEST(Calendar, WithoutADayOrAKnownZoneNothingIsDue) {
  Schedule schedule = daily("UTC");
  schedule.days = {};
  EXPECT_EQ(next_due(schedule, "x", 0), std::nullopt);
  EXPECT_EQ(last_due(schedule, "x", 0), std::nullopt);
  EXPECT_EQ(next_due(daily("Europe/Nowhere"), "x", 0), std::nullopt);
  EXPECT_EQ(last_due(hourly("", 6), "x", 0), std::nullopt);
}

TEST(Calendar, KnowsTimeZones) {
  for (const char* name : {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"})
    EXPECT_TRUE(is_time_zone(name)) << name;
  for (const char* name : {"", "Europe", "Berlin", "europe/berlin", "../zoneinfo/UTC", "UTC\n"})
    EXPECT_FALSE(is_time_zone(name)) << name;
}

TEST(Calendar, SaysASchedule) {
  Schedule schedule;
  EXPECT_EQ(describe(schedule), "every day from 02:00 to 03:00 UTC");
  schedule.days = {true, false, true, false, true, false, false};
  schedule.time_zone = "Europe/Berlin";
  EXPECT_EQ(describe(schedule), "Mon, Wed, Fri from 02:00 to 03:00 Europe/Berlin");
  schedule.days = {true, true, true, true, true, false, false};
  schedule.start_minute = 23 * 60 + 30;
  EXPECT_EQ(describe(schedule), "Mon to Fri from 23:30 to 00:30 Europe/Berlin");
  schedule.window_minutes = 0;
  EXPECT_EQ(describe(schedule), "Mon to Fri at 23:30 Europe/Berlin");
  schedule.every_hours = 6;
  EXPECT_EQ(describe(schedule), "every 6 hours from Monday 00:00 Europe/Berlin");
  schedule.every_hours = 1;
  schedule.window_minutes = 10;
  EXPECT_EQ(describe(schedule),
            "every hour from Monday 00:00 Europe/Berlin, each within 10 minutes");
  schedule = Schedule{.days = {}, .time_zone = "UTC"};
  EXPECT_EQ(describe(schedule), "never");
}

}  // namespace
}  // namespace sluice::service
