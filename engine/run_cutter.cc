#include "engine/run_cutter.h"

#include <algorithm>
#include <bit>

namespace sluice::engine {
namespace {

/// A length as it counts for the rule, so that a value can grow a little without a change: two
/// significant bits, to the nearest.
std::uint64_t rounded(std::uint64_t bytes) noexcept {
  const auto width = static_cast<unsigned>(std::bit_width(bytes));
  if (width <= 2) return bytes;
  const unsigned shift = width - 2;
  return ((bytes + (std::uint64_t{1} << (shift - 1))) >> shift) << shift;
}

/// Below it, of all numbers of 64 bits, lie as many as make `bytes` of records cut once in so many
/// bytes that runs come to the target.
std::uint64_t threshold(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t span = RunCutter::target_bytes - RunCutter::min_bytes;
  return bytes >= span ? UINT64_MAX : rounded(bytes) * (UINT64_MAX / span);
}

}  // namespace

void RunCutter::cut(std::span<const Item> items, std::vector<std::size_t>& cuts) const {
  cuts.clear();
  for (std::size_t first = 0; first < items.size(); first = cuts.back()) {
    cuts.push_back(end_of_run(items, first));
  }
}

std::size_t RunCutter::end_of_run(std::span<const Item> items, std::size_t first) const {
  std::uint64_t bytes = items[first].bytes;
  std::size_t lowest = 0;  // none yet
  std::uint64_t lowest_number = 0;
  for (std::size_t i = first + 1; i < items.size(); ++i) {
    if (bytes >= min_bytes) {
      const std::uint64_t number = siphash(key_, items[i].key);
      if (number < threshold(items[i].bytes)) return i;
      if (lowest == 0 || number < lowest_number) {
        lowest = i;
        lowest_number = number;
      }
    }
    if (items[i].bytes > max_bytes || bytes > max_bytes - items[i].bytes)
      return lowest == 0 ? i : lowest;
    bytes += items[i].bytes;
  }
  return items.size();
}

}  // namespace sluice::engine
