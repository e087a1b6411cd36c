#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sluice::engine {

/// Labels are compared as bytes; of two that agree as far as they go, the shorter is less.
using Label = std::span<const std::byte>;

[[nodiscard]] inline std::strong_ordering compare_labels(Label a, Label b) noexcept {
  const std::size_t common = std::min(a.size(), b.size());
  const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
  return order != 0 ? order <=> 0 : a.size() <=> b.size();
}

/// The first eight bytes as a number that compares as they do. Shorter labels look as if zeros
/// followed: of labels with equal prefixes nothing is known.
[[nodiscard]] inline std::uint64_t label_prefix(Label label) noexcept {
  std::uint64_t word = 0;
  if (label.size() >= sizeof word) {
    std::memcpy(&word, label.data(), sizeof word);
  } else if (!label.empty()) {
    std::memcpy(&word, label.data(), label.size());
  }
  return std::endian::native == std::endian::little ? std::byteswap(word) : word;
}

/// How many leading bytes they share.
[[nodiscard]] inline std::size_t shared_bytes(Label a, Label b) noexcept {
  const std::size_t common = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; common - at >= sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
    const std::uint64_t difference = label_prefix(a.subspan(at)) ^ label_prefix(b.subspan(at));
    if (difference != 0) return at + static_cast<std::size_t>(std::countl_zero(difference)) / 8;
  }
  while (at < common && a[at] == b[at]) ++at;
  return at;
}

}  // namespace sluice::engine
