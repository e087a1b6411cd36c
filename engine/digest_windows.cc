#include "engine/digest_windows.h"

#include <algorithm>
#include <limits>

namespace sluice::engine {

DigestWindows::DigestWindows(std::int64_t start_ms) : windows_(window_count) {
  constexpr std::int64_t narrowest_ms = 1000;
  constexpr std::int64_t growth = 50;  // a fiftieth
  begins_.reserve(window_count);
  begins_.push_back(std::numeric_limits<std::int64_t>::min());
  std::int64_t since_start_ms = 0;
  while (begins_.size() < window_count) {
    begins_.push_back(start_ms + since_start_ms);
    since_start_ms += narrowest_ms + since_start_ms / growth;
  }
}

std::size_t DigestWindows::window_of(std::int64_t gone_at_ms) const {
  if (gone_at_ms == rdb::DigestTerm::never) return window_count - 1;
  const auto after = std::ranges::upper_bound(begins_, gone_at_ms);
  return static_cast<std::size_t>(after - begins_.begin()) - 1;
}

void DigestWindows::add(std::size_t window, const rdb::Digest128& digest) {
  windows_[window].sum += digest;
  ++windows_[window].terms;
}

DigestWindows::Comparison DigestWindows::compare(const DigestWindows& other,
                                                 std::int64_t now_ms) const {
  Comparison result{.equal = true, .possible = begins_.back() > now_ms, .left_out = 0};
  for (std::size_t i = 0; i < window_count; ++i) {
    if (begins_[i] <= now_ms) {
      result.left_out += windows_[i].terms;
    } else if (windows_[i] != other.windows_[i]) {
      result.equal = false;
    }
  }
  return result;
}

}  // namespace sluice::engine
