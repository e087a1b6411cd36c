#include "engine/digest_windows.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice::engine {
namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;
constexpr std::int64_t day_ms = 86'400'000;

rdb::DigestTerm term(std::uint64_t digest, std::int64_t gone_at_ms = rdb::DigestTerm::never) {
  return {.digest = {.low = digest, .high = 0}, .gone_at_ms = gone_at_ms};
}

TEST(DigestWindows, NeitherOverlapNorLeaveOut) {
  const DigestWindows windows(start_ms);
  std::size_t last = windows.window_of(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(last, 0U);
  for (std::int64_t at = start_ms - 5; at < start_ms + 100'000; ++at) {
    const std::size_t window = windows.window_of(at);
    ASSERT_TRUE(window == last || window == last + 1) << at;
    last = window;
  }
  EXPECT_EQ(windows.window_of(rdb::DigestTerm::never), DigestWindows::window_count - 1);
}

TEST(DigestWindows, AreNarrowAtFirstAndLastMonths) {
  const DigestWindows windows(start_ms);
  EXPECT_NE(windows.window_of(start_ms), windows.window_of(start_ms + 1000));
  EXPECT_NE(windows.window_of(start_ms + 3'600'000), windows.window_of(start_ms + 3'700'000));
  EXPECT_LT(windows.window_of(start_ms + 30 * day_ms), DigestWindows::window_count - 1);
}

TEST(DigestWindows, CompareWhatIsNotGone) {
  DigestWindows here(start_ms);
  DigestWindows there(start_ms);
  for (DigestWindows* windows : {&here, &there}) {
    windows->on_record_term(term(1));
    windows->on_field_term(term(2, start_ms + 60'000));
  }
  here.on_record_term(term(3, start_ms + 5'000));
  const auto later = here.compare(there, start_ms + 7'000);
  EXPECT_TRUE(later.possible);
  EXPECT_TRUE(later.equal);
  EXPECT_EQ(later.left_out, 1U);
  EXPECT_FALSE(here.compare(there, start_ms + 2'000).equal);
  EXPECT_FALSE(there.compare(here, start_ms + 2'000).equal);
}

TEST(DigestWindows, CompareWhatNeverGoes) {
  DigestWindows here(start_ms);
  DigestWindows there(start_ms);
  here.on_record_term(term(1));
  there.on_record_term(term(2));
  EXPECT_FALSE(here.compare(there, start_ms + 10 * day_ms).equal);
}

// Two keys instead of one whose terms have the same sum.
TEST(DigestWindows, CompareTheNumberOfTerms) {
  DigestWindows here(start_ms);
  DigestWindows there(start_ms);
  here.on_record_term(term(3));
  there.on_record_term(term(1));
  there.on_record_term(term(2));
  EXPECT_FALSE(here.compare(there, start_ms).equal);
}

TEST(DigestWindows, SayWhenItIsTooLateToCompare) {
  const DigestWindows windows(start_ms);
  EXPECT_FALSE(windows.compare(windows, start_ms + 4'000 * day_ms).possible);
}

}  // namespace
}  // namespace sluice::engine
