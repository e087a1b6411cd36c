#include "engine/latency_control.h"

namespace sluice::engine {
namespace {

constexpr double down = 0.7;          // of what is sent
constexpr double down_at_once = 0.5;  // of what was allowed
constexpr double up = 1.04;
constexpr double well_below = 0.8;  // of the limit: from there to the limit nothing changes
constexpr double needless = 4;      // an allowance so many times what is sent is none

}  // namespace

void LatencyControl::on_round(double round_trip_ms, std::uint64_t sent_bytes, double seconds) {
  if (seconds > 0) {
    weighed_rounds_ = std::min(weighed_rounds_ + 1, static_cast<double>(rounds_max));
    const double sent_per_second = static_cast<double>(sent_bytes) / seconds;
    sent_per_second_ += (sent_per_second - sent_per_second_) / weighed_rounds_;
  }
  round_trips_ms_[rounds_++ % rounds_max] = round_trip_ms;
  if (rounds_ < rounds_min) return;
  auto sorted = round_trips_ms_;
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(rounds_, rounds_max));
  std::sort(sorted.begin(), end);
  smoothed_ms_ = sorted[static_cast<std::size_t>(end - sorted.begin()) / 2];
  highest_ms_ = std::max(highest_ms_, smoothed_ms_);
  if (smoothed_ms_ > limit_ms_) {
    slow_down();
  } else if (rate_ && smoothed_ms_ < limit_ms_ * well_below) {
    speed_up();
  }
}

/// The rounds so far are forgotten: what follows is to be judged by those that follow.
void LatencyControl::slow_down() {
  rounds_ = 0;
  double rate = sent_per_second_ * down;
  if (rate_) rate = std::clamp(rate, *rate_ * down_at_once, *rate_ * down);
  rate_ = std::max(rate, static_cast<double>(rate_min));
}

void LatencyControl::speed_up() {
  *rate_ *= up;
  const double sent = std::max(sent_per_second_, static_cast<double>(rate_min));
  if (*rate_ > sent * needless) rate_.reset();
}

std::optional<std::uint64_t> LatencyControl::bytes_per_second() const noexcept {
  if (!rate_) return std::nullopt;
  return static_cast<std::uint64_t>(*rate_);
}

std::size_t LatencyControl::inflight_bytes_max(std::size_t most) const noexcept {
  if (!rate_) return std::min(inflight_max, most);
  const auto bytes = static_cast<std::size_t>(*rate_ * limit_ms_ / 1000);
  return std::min(std::clamp(bytes, 2 * batch_min, inflight_max), most);
}

std::size_t LatencyControl::batch_bytes_max() const noexcept {
  if (!rate_) return batch_max;
  return std::clamp(inflight_bytes_max(inflight_max) / 2, batch_min, batch_max);
}

}  // namespace sluice::engine
