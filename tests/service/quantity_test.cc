#include "service/quantity.h"

#include <gtest/gtest.h>

#include "service/nearest_name.h"

namespace sluice::service {
namespace {

TEST(Quantity, ReadsDurations) {
  EXPECT_EQ(parse_duration_ms("90s"), 90'000);
  EXPECT_EQ(parse_duration_ms("30m"), 1'800'000);
  EXPECT_EQ(parse_duration_ms("12h"), 43'200'000);
  EXPECT_EQ(parse_duration_ms("7d"), 604'800'000);
  EXPECT_EQ(parse_duration_ms("0s"), 0);
  for (const char* text : {"", "7", "d", "-1d", "7 d", "7D", "1.5h", "7days", "1000001s", "+1s"})
    EXPECT_EQ(parse_duration_ms(text), std::nullopt) << text;
}

TEST(Quantity, WritesDurations) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(90'000), "90s");
  EXPECT_EQ(duration_text(3'600'000), "1h");
  EXPECT_EQ(duration_text(172'800'000), "2d");
  EXPECT_EQ(duration_text(1'500), "1s");
}

TEST(Quantity, ReadsSizes) {
  EXPECT_EQ(parse_size("384M"), 384ULL << 20);
  EXPECT_EQ(parse_size("384 MiB"), 384ULL << 20);
  EXPECT_EQ(parse_size("384mb"), 384ULL << 20);
  EXPECT_EQ(parse_size("1G"), 1ULL << 30);
  EXPECT_EQ(parse_size("2T"), 2ULL << 40);
  EXPECT_EQ(parse_size("65536"), 65'536U);
  EXPECT_EQ(parse_size("5B"), 5U);
  for (const char* text : {"", "M", "-1M", "1.5G", "1X", "1MM", "1iB", "99999999999999999999",
                           "99999999999999T", "1Mi B"})
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

TEST(Quantity, ReadsTimesOfTheDay) {
  EXPECT_EQ(parse_clock_time("00:00"), 0U);
  EXPECT_EQ(parse_clock_time("02:05"), 125U);
  EXPECT_EQ(parse_clock_time("2:05"), 125U);
  EXPECT_EQ(parse_clock_time("23:59"), 1439U);
  for (const char* text :
       {"", "2", "24:00", "02:60", "02:5", "02:005", "-1:00", "02:-5", "02:00 ", "02:00:00", "2h"})
    EXPECT_EQ(parse_clock_time(text), std::nullopt) << text;
  EXPECT_EQ(clock_text(125), "02:05");
}

TEST(NearestName, IsTheOneThatWasMeant) {
  const std::vector<std::string> known = {"memory", "jobs", "time_zone", "passphrase_file"};
  EXPECT_EQ(nearest_name("memry", known), "memory");
  EXPECT_EQ(nearest_name("Time-Zone", known), "time_zone");
  EXPECT_EQ(nearest_name("job", known), "jobs");
  EXPECT_EQ(nearest_name("pasphrase_fil", known), "passphrase_file");
  EXPECT_EQ(nearest_name("color", known), "");
  EXPECT_EQ(nearest_name("", known), "");
  EXPECT_EQ(nearest_name(std::string(1000, 'x'), known), "");
}

}  // namespace
}  // namespace sluice::service
