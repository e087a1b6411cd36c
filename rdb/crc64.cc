#include "rdb/crc64.h"

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstring>

namespace sluice::rdb {
namespace {

static_assert(std::endian::native == std::endian::little, "the tables assume little endian");

constexpr std::uint64_t polynomial = 0x95AC9329AC4BC9B5;  // bit i is the coefficient of x^(63-i)

constexpr std::uint64_t shift_one(std::uint64_t crc) {
  return (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
}

using Tables = std::array<std::array<std::uint64_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = shift_one(crc);
    tables[0][byte] = crc;
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t slice = 1; slice < 8; ++slice) {
      const std::uint64_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

/// x^n modulo the polynomial, reflected, one place up: what a carry-less product of two reflected
/// 64-bit operands needs to come out as x^n times the other operand.
constexpr std::uint64_t fold_constant(unsigned n) {
  std::uint64_t value = 0x8000000000000000;  // x^0
  for (unsigned i = 0; i < n - 1; ++i) value = shift_one(value);
  return value;
}

/// Folds 64 bytes a round in four lanes, as in Gopal et al., "Fast CRC Computation for Generic
/// Polynomials Using PCLMULQDQ Instruction" (Intel, 2009); the last lane goes through the table.
/// `bytes` holds at least 128 bytes.
__attribute__((target("pclmul,sse4.1"))) std::uint64_t crc64_by_clmul(
    std::uint64_t crc, std::span<const std::byte> bytes) noexcept {
  constexpr std::uint64_t far_low = fold_constant(512 + 64);
  constexpr std::uint64_t far_high = fold_constant(512);
  constexpr std::uint64_t near_low = fold_constant(128 + 64);
  constexpr std::uint64_t near_high = fold_constant(128);
  const __m128i far =
      _mm_set_epi64x(std::bit_cast<std::int64_t>(far_high), std::bit_cast<std::int64_t>(far_low));
  const __m128i near =
      _mm_set_epi64x(std::bit_cast<std::int64_t>(near_high), std::bit_cast<std::int64_t>(near_low));
  const auto load = [](const std::byte* from) __attribute__((target("pclmul,sse4.1"))) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  const auto fold = [](__m128i lane, __m128i by) __attribute__((target("pclmul,sse4.1"))) {
    return _mm_xor_si128(_mm_clmulepi64_si128(lane, by, 0x00),
                         _mm_clmulepi64_si128(lane, by, 0x11));
  };

  const std::byte* at = bytes.data();
  std::size_t left = bytes.size() - 64;
  __m128i lane0 = _mm_xor_si128(load(at), _mm_set_epi64x(0, std::bit_cast<std::int64_t>(crc)));
  __m128i lane1 = load(at + 16);
  __m128i lane2 = load(at + 32);
  __m128i lane3 = load(at + 48);
  at += 64;
  for (; left >= 64; left -= 64, at += 64) {
    lane0 = _mm_xor_si128(fold(lane0, far), load(at));
    lane1 = _mm_xor_si128(fold(lane1, far), load(at + 16));
    lane2 = _mm_xor_si128(fold(lane2, far), load(at + 32));
    lane3 = _mm_xor_si128(fold(lane3, far), load(at + 48));
  }
  lane1 = _mm_xor_si128(lane1, fold(lane0, near));
  lane2 = _mm_xor_si128(lane2, fold(lane1, near));
  lane3 = _mm_xor_si128(lane3, fold(lane2, near));
  for (; left >= 16; left -= 16, at += 16) lane3 = _mm_xor_si128(fold(lane3, near), load(at));

  std::array<std::byte, 16> folded;
  std::memcpy(folded.data(), &lane3, folded.size());
  return crc64_by_table(crc64_by_table(0, folded), {at, left});
}

}  // namespace

std::uint64_t crc64_by_table(std::uint64_t crc, std::span<const std::byte> bytes) noexcept {
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    word ^= crc;
    crc = 0;
    for (std::size_t slice = 0; slice < 8; ++slice) {
      crc ^= tables[7 - slice][(word >> (8 * slice)) & 0xff];
    }
    bytes = bytes.subspan(8);
  }
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint64_t>(byte)) & 0xff];
  }
  return crc;
}

std::uint64_t crc64(std::uint64_t crc, std::span<const std::byte> bytes) noexcept {
  static const bool has_clmul =
      __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;
  if (has_clmul && bytes.size() >= 128) return crc64_by_clmul(crc, bytes);
  return crc64_by_table(crc, bytes);
}

}  // namespace sluice::rdb
