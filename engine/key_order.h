#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstring>
#include <span>

namespace sluice::engine {

/// The order of keys within a database: as bytes, the shorter one first where one begins the other.
[[nodiscard]] inline std::strong_ordering compare_keys(std::span<const std::byte> left,
                                                       std::span<const std::byte> right) noexcept {
  const std::size_t common = std::min(left.size(), right.size());
  const int order = common > 0 ? std::memcmp(left.data(), right.data(), common) : 0;
  return order != 0 ? order <=> 0 : left.size() <=> right.size();
}

}  // namespace sluice::engine
