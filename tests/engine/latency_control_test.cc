#include "engine/latency_control.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::engine {
namespace {

constexpr double limit_ms = 5;
constexpr double round_s = 0.05;
constexpr std::size_t most = 32 << 20;

/// A sender that takes what it is allowed, of at most `bytes_per_second`.
class Sender {
 public:
  Sender(LatencyControl& control, double bytes_per_second)
      : control_(control), speed_(bytes_per_second) {}

  [[nodiscard]] double speed() const {
    const auto allowed = control_.bytes_per_second();
    return allowed ? std::min(speed_, static_cast<double>(*allowed)) : speed_;
  }
  void rounds(int count, double round_trip_ms) {
    for (int i = 0; i < count; ++i) {
      control_.on_round(round_trip_ms, static_cast<std::uint64_t>(speed() * round_s), round_s);
    }
  }

 private:
  LatencyControl& control_;
  double speed_;
};

TEST(LatencyControl, LeavesASenderAloneWhosePingsAreFast) {
  LatencyControl control(limit_ms);
  Sender(control, 100e6).rounds(100, limit_ms);
  EXPECT_FALSE(control.bytes_per_second().has_value());
  EXPECT_EQ(control.inflight_bytes_max(most), LatencyControl::inflight_max);
  EXPECT_EQ(control.batch_bytes_max(), LatencyControl::batch_max);
  EXPECT_DOUBLE_EQ(control.highest_ms(), limit_ms);
}

TEST(LatencyControl, SlowsDownOnceAMedianIsAbove) {
  LatencyControl control(limit_ms);
  Sender sender(control, 100e6);
  sender.rounds(50, 1);
  sender.rounds(2, 100);  // of five
  EXPECT_FALSE(control.bytes_per_second().has_value());
  sender.rounds(1, 100);
  ASSERT_TRUE(control.bytes_per_second().has_value());
  EXPECT_NEAR(static_cast<double>(*control.bytes_per_second()), 70e6, 1e6);
  EXPECT_DOUBLE_EQ(control.highest_ms(), 100);
}

TEST(LatencyControl, LooksAtWhatADecisionDoesBeforeTheNext) {
  LatencyControl control(limit_ms);
  Sender sender(control, 100e6);
  sender.rounds(50, 1);
  sender.rounds(3, 9);
  const auto first = control.bytes_per_second();
  sender.rounds(2, 9);
  EXPECT_EQ(control.bytes_per_second(), first);
  sender.rounds(1, 9);
  EXPECT_LT(control.bytes_per_second(), first);
}

TEST(LatencyControl, NeverStops) {
  LatencyControl control(limit_ms);
  Sender sender(control, 100e6);
  sender.rounds(1000, 1000);
  EXPECT_EQ(control.bytes_per_second(), LatencyControl::rate_min);
  EXPECT_EQ(control.batch_bytes_max(), LatencyControl::batch_min);
  EXPECT_EQ(control.inflight_bytes_max(most), 2 * LatencyControl::batch_min);
  EXPECT_EQ(control.inflight_bytes_max(1000), 1000u);
}

TEST(LatencyControl, SlowsDownBeforeAnythingWasSent) {
  LatencyControl control(limit_ms);
  for (int i = 0; i < 5; ++i) control.on_round(50, 0, round_s);
  EXPECT_EQ(control.bytes_per_second(), LatencyControl::rate_min);
}

TEST(LatencyControl, HasNoMoreOnItsWayThanGoesOutInTheTimeOfTheLimit) {
  LatencyControl control(limit_ms);
  Sender sender(control, 100e6);
  sender.rounds(50, 1);
  sender.rounds(3, 9);
  const auto rate = static_cast<double>(*control.bytes_per_second());
  const auto inflight = static_cast<double>(control.inflight_bytes_max(most));
  EXPECT_NEAR(inflight, rate * limit_ms / 1000, 1);
  EXPECT_NEAR(static_cast<double>(control.batch_bytes_max()), inflight / 2, 1);
}

TEST(LatencyControl, GoesOnAsFastAsItCanOnceTheServerIsFastAgain) {
  LatencyControl control(limit_ms);
  Sender sender(control, 50e6);
  sender.rounds(100, 20);
  ASSERT_LT(*control.bytes_per_second(), 1'000'000u);
  const auto slow = *control.bytes_per_second();
  sender.rounds(20, limit_ms * 0.9);  // near the limit it stays as it is
  EXPECT_EQ(*control.bytes_per_second(), slow);
  sender.rounds(20, 1);
  EXPECT_GT(*control.bytes_per_second(), slow);
  sender.rounds(1000, 1);
  EXPECT_FALSE(control.bytes_per_second().has_value());
}

/// A server whose latency grows with what it is sent.
TEST(LatencyControl, SettlesWhereTheLatencyIsAboutTheLimit) {
  LatencyControl control(limit_ms);
  Sender sender(control, 100e6);
  constexpr double bytes_per_ms_of_latency = 4e6;
  int above = 0;
  constexpr int rounds = 2000;
  double sum = 0;
  for (int i = 0; i < rounds; ++i) {
    const double latency_ms = sender.speed() / bytes_per_ms_of_latency;
    sender.rounds(1, latency_ms);
    if (i < rounds / 2) continue;
    if (latency_ms > limit_ms) ++above;
    sum += sender.speed();
  }
  EXPECT_LT(above, rounds / 2 / 4);
  EXPECT_GT(sum / (rounds / 2), limit_ms * bytes_per_ms_of_latency * 0.6);
}

}  // namespace
}  // namespace sluice::engine
