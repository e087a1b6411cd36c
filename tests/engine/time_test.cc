#include <gtest/gtest.h>

#include <limits>

#include "sluice/catalog.h"

namespace sluice {
namespace {

TEST(Time, ReadsTheFormsOfRfc3339) {
  EXPECT_EQ(parse_time("1970-01-01"), 0);
  EXPECT_EQ(parse_time("2026-11-22T09:00:00Z"), 1'795'338'000'000);
  EXPECT_EQ(parse_time("2026-11-22t09:00:00.25z"), 1'795'338'000'250);
  EXPECT_EQ(parse_time("2026-11-22 10:30:00+01:30"), 1'795'338'000'000);
  EXPECT_EQ(parse_time("2026-11-22T04:00:00-05:00"), 1'795'338'000'000);
  EXPECT_EQ(parse_time("2026-11-22T09:00"), 1'795'338'000'000);
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* text : {"", "now", "2026", "2026-13-01", "2026-02-30", "2026-11-22T25:00:00Z",
                           "2026-11-22T09:60:00Z", "2026-11-22T09:00:00X", "2026-11-22T09:00:00.Z",
                           "2026-11-22T09:00:00+1", "-026-11-22", "2026-11-22T09:00:00Z "}) {
    EXPECT_FALSE(parse_time(text).has_value()) << text;
  }
}

TEST(Time, WritesWhatItReads) {
  EXPECT_EQ(format_time(1'795'338'000'007), "2026-11-22T09:00:00.007Z");
  EXPECT_EQ(parse_time(format_time(1'700'000'000'123)), 1'700'000'000'123);
}

TEST(Time, WritesNoYearThatHasNotFourDigits) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(format_time(most), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(format_time(least), "0000-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace sluice
