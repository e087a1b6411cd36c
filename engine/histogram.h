#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "sluice/analyze.h"

namespace sluice::engine {

/// How a size is spread over keys, in 9 KiB: sixteen steps between two powers of two.
class SizeHistogram {
 public:
  void add(std::uint64_t size) noexcept {
    ++counts_[index_of(size)];
    ++total_;
    if (size > max_) max_ = size;
  }
  [[nodiscard]] Distribution distribution() const;

 private:
  static constexpr unsigned step_bits = 4;
  static constexpr std::size_t steps = std::size_t{1} << step_bits;

  static std::size_t index_of(std::uint64_t size) noexcept;
  /// The largest size that falls there.
  static std::uint64_t upper(std::size_t index) noexcept;
  [[nodiscard]] std::uint64_t percentile(std::uint64_t hundredths) const noexcept;

  std::array<std::uint64_t, (64 - step_bits + 1) * steps> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

/// Keys by ranges of a number, each up to a bound that is not part of it.
class RangeHistogram {
 public:
  struct Range {
    std::int64_t below;
    const char* label;
  };
  /// `last` is for all that is in no range.
  RangeHistogram(std::initializer_list<Range> ranges, const char* last);

  void add(std::int64_t number, std::uint64_t serialized_bytes) noexcept;
  [[nodiscard]] bool empty() const noexcept { return empty_; }
  [[nodiscard]] const std::vector<Bucket>& buckets() const noexcept { return buckets_; }

 private:
  std::vector<std::int64_t> bounds_;
  std::vector<Bucket> buckets_;
  bool empty_ = true;
};

}  // namespace sluice::engine
