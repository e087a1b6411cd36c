#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rdb/crc64.h"

namespace sluice::rdb {

// Arithmetic of the polynomials behind crc64(), and its variants by carry-less multiplication.

inline constexpr std::uint64_t crc64_polynomial = 0x95AC9329AC4BC9B5;  // bit i is that of x^(63-i)
inline constexpr std::uint64_t crc64_one = 0x8000000000000000;         // x^0

/// Times x, modulo the polynomial.
[[nodiscard]] constexpr std::uint64_t crc64_times_x(std::uint64_t value) noexcept {
  return (value >> 1) ^ (crc64_polynomial & (0 - (value & 1)));
}

// Each is for CPUs that have the variant only.
[[nodiscard]] std::uint64_t crc64_by_clmul128(std::uint64_t crc,
                                              std::span<const std::byte> bytes) noexcept;
[[nodiscard]] std::uint64_t crc64_by_clmul256(std::uint64_t crc,
                                              std::span<const std::byte> bytes) noexcept;
[[nodiscard]] std::uint64_t crc64_by_clmul512(std::uint64_t crc,
                                              std::span<const std::byte> bytes) noexcept;

}  // namespace sluice::rdb
