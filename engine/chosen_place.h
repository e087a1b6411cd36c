#pragma once

#include <cstdint>

#include "engine/filter_stream.h"
#include "engine/key_chooser.h"
#include "engine/place.h"
#include "engine/progress_meter.h"
#include "rdb/parser.h"
#include "sluice/filter.h"
#include "sluice/job.h"
#include "sluice/place.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Hands the chosen keys of a place on to a handler, and counts the others.
///
/// Threads: one at a time. Lifetime: what it is made of must outlive it.
class ChosenPlace final : private FilterTally {
 public:
  /// `functions`: what is not in keys too, though keys are chosen.
  ChosenPlace(const KeyChooser& chooser, bool functions, rdb::Handler& next)
      : stream_(filter_, chooser, {}, next, *this), parser_(chooser.takes_all() ? next : stream_) {
    filter_.functions = functions;
  }

  /// As read_place(). Of a backup in canonical layout only what is needed is read.
  [[nodiscard]] Result<PlaceFacts> read(const Place& place, ProgressMeter& meter,
                                        const JobContext& job);
  [[nodiscard]] Result<void> read(const PlaceBackup& place, ProgressMeter& meter,
                                  const JobContext& job);

  [[nodiscard]] std::uint64_t raw_bytes() const noexcept { return parser_.offset(); }
  [[nodiscard]] std::uint64_t filtered() const noexcept { return filtered_; }
  [[nodiscard]] std::uint64_t unread() const noexcept { return unread_; }
  [[nodiscard]] std::uint64_t runs_skipped() const noexcept { return runs_skipped_; }

 private:
  void left_out(rdb::LogicalType) override { ++filtered_; }
  void refused(rdb::LogicalType, std::uint64_t, std::span<const std::byte>,
               std::string_view) override {}  // expiries are kept

  Filter filter_;
  FilterStream stream_;
  rdb::Parser parser_;
  std::uint64_t filtered_ = 0;
  std::uint64_t unread_ = 0;
  std::uint64_t runs_skipped_ = 0;
};

}  // namespace sluice::engine
