#pragma once

#include <cstddef>

#include "rdb/lzf.h"

namespace sluice::rdb {

// The elements of LZF, for its readers. A control byte below 32 announces that many literals plus
// one; any other begins a match: three bits of length, 7 meaning that a byte of more length
// follows, then 13 bits of distance.

/// Where a reader of whole elements stands. `in` and `out` move, the rest are bounds.
struct LzfCursor {
  const std::byte* in;
  const std::byte* in_end;
  std::byte* out;
  const std::byte* out_begin;   ///< Matches reach back no further.
  const std::byte* out_pause;   ///< No element is begun when `out` is past it.
  const std::byte* out_end;     ///< An element that reaches past it is malformed.
  const std::byte* out_memory;  ///< At or past out_end: what may be overwritten with anything.
};

inline constexpr unsigned lzf_long_match = 7 << 5;  ///< From this control byte on.

struct LzfMatch {
  std::size_t length;
  std::size_t distance;
};

[[nodiscard]] constexpr bool lzf_is_run(std::byte control) noexcept {
  return std::to_integer<unsigned>(control) < lzf_run_max;
}

[[nodiscard]] constexpr std::size_t lzf_run_length(std::byte control) noexcept {
  return std::to_integer<std::size_t>(control) + 1;
}

/// Bytes of a match, the control byte included.
[[nodiscard]] constexpr std::size_t lzf_match_bytes(std::byte control) noexcept {
  return std::to_integer<unsigned>(control) < lzf_long_match ? 2 : 3;
}

/// Reads the lzf_match_bytes(*at) bytes at `at`.
[[nodiscard]] constexpr LzfMatch lzf_match(const std::byte* at) noexcept {
  const auto control = std::to_integer<std::size_t>(*at);
  std::size_t length = (control >> 5) + 2;
  if (control >= lzf_long_match) length += std::to_integer<std::size_t>(*++at);
  return {length, ((control & 31) << 8) + std::to_integer<std::size_t>(*++at) + 1};
}

/// Expands elements while the next one is whole in the input and the output is not past its pause.
/// False when one is malformed.
[[nodiscard]] bool lzf_expand(LzfCursor& cursor) noexcept;

/// Appends one match. False when it is malformed.
[[nodiscard]] bool lzf_append(LzfCursor& cursor, LzfMatch match) noexcept;

/// Passes over the elements that are whole in `in`, taking them off, and adds what they expand to
/// to `plain`. False when a match reaches before the start.
[[nodiscard]] bool lzf_pass(std::span<const std::byte>& in, std::uint64_t& plain) noexcept;

}  // namespace sluice::rdb
