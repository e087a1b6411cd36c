#pragma once

#include <cstddef>
#include <span>

namespace sluice::rdb {

/// Most bytes that one LZF input byte can stand for: three bytes yield at most 264.
inline constexpr std::size_t lzf_expansion_max = 88;

/// Expands `in` to exactly `out.size()` bytes. False when `in` is malformed: a run or match past
/// either end, a match before the start of the output, or another final size. Every access is
/// checked; `in` and `out` must not overlap. Source: liblzf lzf_d.c.
[[nodiscard]] bool lzf_decompress(std::span<const std::byte> in, std::span<std::byte> out) noexcept;

}  // namespace sluice::rdb
