#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/job.h"

namespace sluice::engine {

/// Tells a job's observer how far it is, at most ten times a second.
class ProgressMeter {
 public:
  explicit ProgressMeter(const JobContext& job)
      : observer_(job.observer), begun_(std::chrono::steady_clock::now()) {}

  void set_phase(std::string_view phase) {
    phase_ = phase;
    last_ = {};
  }
  void set_total(std::optional<std::uint64_t> bytes_total) { bytes_total_ = bytes_total; }

  void update(std::uint64_t bytes, std::uint64_t keys) {
    const auto now = std::chrono::steady_clock::now();
    if (observer_ == nullptr || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    observer_->on_progress({.phase = phase_,
                            .bytes = bytes,
                            .bytes_total = bytes_total_,
                            .keys = keys,
                            .seconds = seconds()});
  }

  void notice(std::string_view text) const {
    if (observer_ != nullptr) observer_->on_notice(text);
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }

 private:
  Observer* observer_;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point last_;
  std::string phase_;
  std::optional<std::uint64_t> bytes_total_;
};

}  // namespace sluice::engine
