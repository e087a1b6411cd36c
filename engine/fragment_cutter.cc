#include "engine/fragment_cutter.h"

#include <algorithm>

namespace sluice::engine {
namespace {

/// Bytes that the hash depends on: each later one shifts it by a bit.
constexpr std::uint64_t window_bytes = 64;
/// As many of all hashes are below it as make one cut in so many bytes that fragments come to the
/// target.
constexpr std::uint64_t threshold =
    UINT64_MAX / (FragmentCutter::target_bytes - FragmentCutter::min_bytes);

}  // namespace

FragmentCutter::FragmentCutter(const CutKey& key) noexcept {
  // Nine bytes, so that none of these is the number of a key of one.
  std::array<std::byte, 9> text{std::byte{'g'}, std::byte{'e'}, std::byte{'a'}, std::byte{'r'}};
  for (std::size_t i = 0; i < table_.size(); ++i) {
    text.back() = static_cast<std::byte>(i);
    table_[i] = siphash(key, text);
  }
}

FragmentCutter::Taken FragmentCutter::feed(std::span<const std::byte> part) noexcept {
  /// How much of the part the fragment has when it comes to `size` bytes.
  const auto until = [this, part](std::uint64_t size) {
    const std::uint64_t wanted = size > size_ ? size - size_ : 0;
    return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, part.size()));
  };
  std::uint64_t hash = hash_;
  const auto roll = [this, &hash](std::byte byte) {
    hash = (hash << 1) + table_[std::to_integer<std::size_t>(byte)];
  };
  std::size_t at = until(min_bytes - window_bytes);
  for (const std::size_t end = until(min_bytes - 1); at < end; ++at) roll(part[at]);
  bool complete = false;
  for (const std::size_t end = until(max_bytes); at < end && !complete; ++at) {
    roll(part[at]);
    complete = hash < threshold;
  }
  size_ += at;
  hash_ = hash;
  complete = complete || size_ == max_bytes;
  if (complete) restart();
  return {.bytes = at, .complete = complete};
}

}  // namespace sluice::engine
