#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::engine {

/// LEB128: seven bits a byte, the least significant first, the high bit set on all but the last;
/// the shortest form only.
inline constexpr std::size_t varint_bytes_max = 10;

[[nodiscard]] inline std::size_t varint_bytes(std::uint64_t value) noexcept {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

/// Writes at most varint_bytes_max bytes to `to`; returns where they end.
inline std::byte* put_varint(std::byte* to, std::uint64_t value) noexcept {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<std::byte>(value | 0x80);
  *to++ = static_cast<std::byte>(value);
  return to;
}

inline void put_varint(std::vector<std::byte>& out, std::uint64_t value) {
  std::array<std::byte, varint_bytes_max> bytes;
  std::byte* const end = put_varint(bytes.data(), value);
  out.insert(out.end(), bytes.data(), end);
}

/// Reads one that is known to be whole and well-formed; returns where it ends.
inline const std::byte* take_varint(const std::byte* at, std::uint64_t& value) noexcept {
  auto byte = std::to_integer<std::uint64_t>(*at++);
  value = byte & 0x7F;
  for (unsigned shift = 7; byte >= 0x80; shift += 7) {
    byte = std::to_integer<std::uint64_t>(*at++);
    value |= (byte & 0x7F) << shift;
  }
  return at;
}

/// Reads one that must lie before `end`; null when it does not, is no number of 64 bits or could be
/// shorter.
[[nodiscard]] inline const std::byte* read_varint(const std::byte* at, const std::byte* end,
                                                  std::uint64_t& value) noexcept {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(*at++);
    const std::uint64_t bits = byte & 0x7F;
    if (shift == 63 && bits > 1) return nullptr;
    value |= bits << shift;
    if (byte < 0x80) return byte == 0 && shift > 0 ? nullptr : at;
  }
  return nullptr;
}

}  // namespace sluice::engine
