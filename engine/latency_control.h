#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::engine {

/// Decides how fast may be sent to servers that others use too, by how long their PINGs take: less
/// by a third while that is above a limit, a little more each round once it is well below.
///
/// Bytes a second are what is decided. From them follows how much may be on its way at once: no
/// more than goes out in the time of the limit. That is little from the start, so that what is sent
/// is about what the server takes.
///
/// Knows no clock and no connection. Threads: one at a time.
class LatencyControl {
 public:
  /// It is never slower, so that everything ends.
  static constexpr std::uint64_t rate_min = 256 << 10;
  /// Batches are never smaller.
  static constexpr std::size_t batch_min = 16 << 10;
  /// Nor larger …
  static constexpr std::size_t batch_max = 256 << 10;
  /// … and no more than this is on its way.
  static constexpr std::size_t inflight_max = 4 << 20;

  explicit LatencyControl(double limit_ms) : limit_ms_(limit_ms) {}

  /// A PING of the slowest server has taken `round_trip_ms`; in the `seconds` since the one before
  /// `sent_bytes` were sent.
  void on_round(double round_trip_ms, std::uint64_t sent_bytes, double seconds);

  /// Null: as fast as it goes.
  [[nodiscard]] std::optional<std::uint64_t> bytes_per_second() const noexcept;
  /// What may be on its way at once, where `most` may be without this.
  [[nodiscard]] std::size_t inflight_bytes_max(std::size_t most) const noexcept;
  /// How large one batch may be: two of them are on their way once it was slowed down.
  [[nodiscard]] std::size_t batch_bytes_max() const noexcept;

  /// The median of the last rounds; zero before there are enough of them.
  [[nodiscard]] double smoothed_ms() const noexcept { return smoothed_ms_; }
  [[nodiscard]] double highest_ms() const noexcept { return highest_ms_; }

 private:
  static constexpr std::size_t rounds_max = 5;  // that the median is of, once there are so many
  static constexpr std::size_t rounds_min = 3;

  void slow_down();
  void speed_up();

  double limit_ms_;
  std::array<double, rounds_max> round_trips_ms_{};
  std::size_t rounds_ = 0;      // since the last decision to slow down
  double sent_per_second_ = 0;  // smoothed
  double weighed_rounds_ = 0;   // that it is of
  std::optional<double> rate_;  // bytes a second
  double smoothed_ms_ = 0;
  double highest_ms_ = 0;
};

}  // namespace sluice::engine
