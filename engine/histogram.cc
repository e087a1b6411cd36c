#include "engine/histogram.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace sluice::engine {

// Sizes below 16 have a place each; above, the four bits after the highest decide.
std::size_t SizeHistogram::index_of(std::uint64_t size) noexcept {
  if (size < steps) return size;
  const auto shift = static_cast<unsigned>(std::bit_width(size)) - 1 - step_bits;
  return (std::size_t{shift} + 1) * steps + ((size >> shift) & (steps - 1));
}

std::uint64_t SizeHistogram::upper(std::size_t index) noexcept {
  if (index < steps) return index;
  const std::size_t shift = index / steps - 1;
  const std::uint64_t first = std::uint64_t{steps + index % steps} << shift;
  return first + ((std::uint64_t{1} << shift) - 1);
}

std::uint64_t SizeHistogram::percentile(std::uint64_t hundredths) const noexcept {
  const std::uint64_t wanted = total_ / 100 * hundredths + (total_ % 100 * hundredths + 99) / 100;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0) return std::min(upper(i), max_);
  }
  return 0;
}

Distribution SizeHistogram::distribution() const {
  Distribution result{.p50 = percentile(50),
                      .p90 = percentile(90),
                      .p99 = percentile(99),
                      .max = max_,
                      .powers = {}};
  if (total_ == 0) return result;
  // "Below 2^p": the bound of the last power does not fit, and nothing is as large.
  for (unsigned power = 0; power < 64; ++power) {
    result.powers.emplace_back(std::uint64_t{1} << power, 0);
    if (max_ >> power == 0) break;
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const auto power = static_cast<std::size_t>(std::bit_width(upper(i)));
    result.powers[std::min(power, result.powers.size() - 1)].second += counts_[i];
  }
  const auto used = [](const auto& bar) { return bar.second > 0; };
  result.powers.erase(result.powers.begin(), std::ranges::find_if(result.powers, used));
  return result;
}

RangeHistogram::RangeHistogram(std::initializer_list<Range> ranges, const char* last) {
  for (const Range& range : ranges) {
    bounds_.push_back(range.below);
    buckets_.push_back({.label = range.label});
  }
  buckets_.push_back({.label = last});
}

void RangeHistogram::add(std::int64_t number, std::uint64_t serialized_bytes) noexcept {
  const auto above = std::ranges::upper_bound(bounds_, number);
  Bucket& bucket = buckets_[static_cast<std::size_t>(above - bounds_.begin())];
  ++bucket.keys;
  bucket.serialized_bytes += serialized_bytes;
  empty_ = false;
}

}  // namespace sluice::engine
