#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sluice::rdb {

/// Most bytes that one LZF input byte can stand for: three bytes yield at most 264.
inline constexpr std::size_t lzf_expansion_max = 88;

inline constexpr std::size_t lzf_run_max = 32;     ///< Literals that one control byte announces.
inline constexpr std::size_t lzf_match_max = 264;  ///< Bytes that one match yields.
inline constexpr std::size_t lzf_room_after = lzf_run_max + lzf_match_max + 16;
inline constexpr std::size_t lzf_distance_max = 8192;  ///< How far back a match reaches.

/// Expands `in` to exactly `out.size()` bytes. False when `in` is malformed: a run or match past
/// either end, a match before the start of the output, or another final size; `out` then holds
/// anything. Every access is checked; `in` and `out` must not overlap. Source: liblzf lzf_d.c.
///
/// `room_after`: how many bytes behind `out` may be overwritten with anything. With at least
/// lzf_room_after of them the end is no slower than the rest.
[[nodiscard]] bool lzf_decompress(std::span<const std::byte> in, std::span<std::byte> out,
                                  std::size_t room_after = 0) noexcept;

/// The size that `in` expands to, found without expanding it; nothing when `in` is malformed: cut
/// within an element, or a match before the start. lzf_decompress() accepts exactly this size.
[[nodiscard]] std::optional<std::uint64_t> lzf_measure(std::span<const std::byte> in) noexcept;

}  // namespace sluice::rdb
