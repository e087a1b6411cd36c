// Folding as in Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
// Instruction" (Intel, 2009). All is reflected: of the 128 bits of a lane, the lowest is that of
// x^127. The registers of the wide variants hold two or four lanes one after the other.

#include "rdb/crc64_clmul.h"

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstring>

namespace sluice::rdb {
namespace {

using std::size_t;
using std::uint64_t;

/// What a fold by so many bits multiplies the low and the high half of a lane by: powers of x, one
/// place up, which makes up for the product of two reflected values coming out one place down.
struct FoldConstants {
  uint64_t low;
  uint64_t high;
};

constexpr uint64_t power(unsigned n) {
  uint64_t value = crc64_one;
  for (unsigned i = 0; i < n; ++i) value = crc64_times_x(value);
  return value;
}

constexpr FoldConstants fold_by(unsigned bits) {
  return {.low = power(bits + 64 - 1), .high = power(bits - 1)};
}

/// x^128 divided by the polynomial, without its x^64.
constexpr uint64_t quotient() {
  uint64_t quotient = 0;
  uint64_t rest = crc64_polynomial;  // that of x^64
  for (int bit = 0; bit < 64; ++bit) {
    quotient |= (rest & 1) << bit;
    rest = crc64_times_x(rest);
  }
  return quotient;
}

[[gnu::target("sse4.1,pclmul")]] inline __m128i pair(uint64_t low, uint64_t high) {
  return _mm_set_epi64x(std::bit_cast<std::int64_t>(high), std::bit_cast<std::int64_t>(low));
}

[[gnu::target("sse4.1,pclmul")]] inline __m128i pair(FoldConstants by) {
  return pair(by.low, by.high);
}

[[gnu::target("sse4.1,pclmul")]] inline __m128i load(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

/// `lane` as many bits further on as `by` says, and `next` there.
[[gnu::target("sse4.1,pclmul")]] inline __m128i fold(__m128i lane, __m128i by, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(lane, by, 0x00);
  const __m128i high = _mm_clmulepi64_si128(lane, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/// What is left of `value` modulo the polynomial (Barrett). The quotient and the polynomial are
/// taken one place up; the bit that each loses by it, and the x^64 it stands without, are added by
/// hand.
[[gnu::target("sse4.1,pclmul")]] inline uint64_t remainder(__m128i value) {
  const __m128i constants = pair(quotient() << 1, crc64_polynomial << 1);
  const __m128i times = _mm_xor_si128(_mm_clmulepi64_si128(value, constants, 0x00), value);
  const __m128i multiple = _mm_clmulepi64_si128(times, constants, 0x10);
  const __m128i rest = _mm_xor_si128(multiple, value);
  return std::bit_cast<uint64_t>(_mm_extract_epi64(rest, 1) ^ _mm_cvtsi128_si64(times));
}

/// The value of a message of 16 bytes.
[[gnu::target("sse4.1,pclmul")]] inline uint64_t crc64_of_lane(__m128i lane) {
  const __m128i low = _mm_clmulepi64_si128(lane, pair(fold_by(128)), 0x10);
  return remainder(_mm_xor_si128(low, _mm_srli_si128(lane, 8)));
}

template <class Word>
uint64_t load_word(const std::byte* from) {
  Word word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

/// `size` bytes, at most 7 but at least one, the first lowest.
uint64_t load_few(const std::byte* at, size_t size) {
  if (size >= 4) {
    const uint64_t end = load_word<std::uint32_t>(at + size - 4);
    return load_word<std::uint32_t>(at) | end << (8 * (size - 4));
  }
  const uint64_t middle = load_word<std::uint8_t>(at + size / 2);
  const uint64_t last = load_word<std::uint8_t>(at + size - 1);
  return load_word<std::uint8_t>(at) | middle << (8 * (size / 2)) | last << (8 * (size - 1));
}

/// At most 15 bytes. Zero bytes are put before them, which count for nothing.
[[gnu::target("sse4.1,pclmul")]] uint64_t crc64_of_few(uint64_t crc, const std::byte* at,
                                                       size_t size) {
  if (size == 0) return crc;
  if (size < 8) {
    const uint64_t word = (crc ^ load_few(at, size)) << (64 - 8 * size);
    return (crc >> (8 * size)) ^ remainder(pair(word, 0));
  }
  const uint64_t first = crc ^ load_word<uint64_t>(at);
  if (size == 8) return remainder(pair(first, 0));
  const size_t zeros = 8 * (16 - size);
  const uint64_t last = load_word<uint64_t>(at + size - 8) >> zeros << zeros;
  return crc64_of_lane(pair(first << zeros, last | first >> (64 - zeros)));
}

/// For shuffles: from 16 + n on, it moves bytes n down; from 16 - n on, n up. 0x80 gives zero.
constexpr std::array<std::uint8_t, 48> shifts = [] {
  std::array<std::uint8_t, 48> bytes{};
  bytes.fill(0x80);
  for (std::uint8_t i = 0; i < 16; ++i) bytes[16 + i] = i;
  return bytes;
}();

[[gnu::target("sse4.1,pclmul")]] inline __m128i moved_down(__m128i lane, size_t bytes) {
  return _mm_shuffle_epi8(lane, load(std::as_bytes(std::span(shifts)).data() + 16 + bytes));
}

[[gnu::target("sse4.1,pclmul")]] inline __m128i moved_up(__m128i lane, size_t bytes) {
  return _mm_shuffle_epi8(lane, load(std::as_bytes(std::span(shifts)).data() + 16 - bytes));
}

/// The value of a lane and the `left` bytes at `at` after it. There are 16 bytes or more before the
/// end of those.
[[gnu::target("sse4.1,pclmul")]] inline uint64_t finish(__m128i lane, const std::byte* at,
                                                        size_t left) {
  const __m128i near = pair(fold_by(128));
  for (; left >= 16; left -= 16, at += 16) lane = fold(lane, near, load(at));
  if (left > 0) {
    // The same bytes cut elsewhere: the last 16, and before them what the lane has more.
    const __m128i fresh = moved_up(moved_down(load(at + left - 16), 16 - left), 16 - left);
    const __m128i last = _mm_or_si128(moved_down(lane, left), fresh);
    lane = fold(moved_up(lane, 16 - left), near, last);
  }
  return crc64_of_lane(lane);
}

}  // namespace

[[gnu::target("sse4.1,pclmul")]] uint64_t crc64_by_clmul128(
    uint64_t crc, std::span<const std::byte> bytes) noexcept {
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  if (left < 16) return crc64_of_few(crc, at, left);
  __m128i lane0 = _mm_xor_si128(load(at), pair(crc, 0));
  if (left < 128) return finish(lane0, at + 16, left - 16);

  const __m128i far = pair(fold_by(512));
  const __m128i near = pair(fold_by(128));
  __m128i lane1 = load(at + 16);
  __m128i lane2 = load(at + 32);
  __m128i lane3 = load(at + 48);
  for (at += 64, left -= 64; left >= 64; left -= 64, at += 64) {
    lane0 = fold(lane0, far, load(at));
    lane1 = fold(lane1, far, load(at + 16));
    lane2 = fold(lane2, far, load(at + 32));
    lane3 = fold(lane3, far, load(at + 48));
  }
  lane1 = fold(lane0, near, lane1);
  lane2 = fold(lane1, near, lane2);
  lane3 = fold(lane2, near, lane3);
  return finish(lane3, at, left);
}

namespace {

/// Asks for what comes two KiB later: by itself, the CPU reads ahead too little for these loops.
/// Past the end of the bytes it does no harm.
inline void prefetch(const std::byte* at) {
  constexpr size_t ahead_bytes = 2048;
  const auto address = reinterpret_cast<std::uintptr_t>(at) + ahead_bytes;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): as a pointer it may not leave the bytes
  _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T0);
}

[[gnu::target("avx2,pclmul,vpclmulqdq")]] inline __m256i load256(const std::byte* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

[[gnu::target("avx2,pclmul,vpclmulqdq")]] inline __m256i fold(__m256i lanes, __m256i by,
                                                              __m256i next) {
  const __m256i low = _mm256_clmulepi64_epi128(lanes, by, 0x00);
  const __m256i high = _mm256_clmulepi64_epi128(lanes, by, 0x11);
  return _mm256_xor_si256(_mm256_xor_si256(low, high), next);
}

[[gnu::target("avx512f,pclmul,vpclmulqdq")]] inline __m512i load512(const std::byte* from) {
  return _mm512_loadu_si512(from);
}

/// GCC 12 warns of undefined values within the intrinsics that repeat or extract a lane.
[[gnu::target("avx512f,pclmul,vpclmulqdq")]] inline __m512i four(FoldConstants by) {
  const auto low = std::bit_cast<std::int64_t>(by.low);
  const auto high = std::bit_cast<std::int64_t>(by.high);
  return _mm512_set_epi64(high, low, high, low, high, low, high, low);
}

[[gnu::target("avx512f,pclmul,vpclmulqdq")]] inline __m512i fold(__m512i lanes, __m512i by,
                                                                 __m512i next) {
  const __m512i low = _mm512_clmulepi64_epi128(lanes, by, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(lanes, by, 0x11);
  return _mm512_ternarylogic_epi64(low, high, next, 0x96);  // the sum of the three
}

}  // namespace

[[gnu::target("avx2,pclmul,vpclmulqdq")]] uint64_t crc64_by_clmul256(
    uint64_t crc, std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < 256) return crc64_by_clmul128(crc, bytes);
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  const __m256i far = _mm256_broadcastsi128_si256(pair(fold_by(1024)));
  const __m256i near = _mm256_broadcastsi128_si256(pair(fold_by(256)));
  __m256i lanes0 = _mm256_xor_si256(load256(at), _mm256_zextsi128_si256(pair(crc, 0)));
  __m256i lanes1 = load256(at + 32);
  __m256i lanes2 = load256(at + 64);
  __m256i lanes3 = load256(at + 96);
  for (at += 128, left -= 128; left >= 128; left -= 128, at += 128) {
    prefetch(at);
    prefetch(at + 64);
    lanes0 = fold(lanes0, far, load256(at));
    lanes1 = fold(lanes1, far, load256(at + 32));
    lanes2 = fold(lanes2, far, load256(at + 64));
    lanes3 = fold(lanes3, far, load256(at + 96));
  }
  lanes1 = fold(lanes0, near, lanes1);
  lanes2 = fold(lanes1, near, lanes2);
  lanes3 = fold(lanes2, near, lanes3);
  for (; left >= 32; left -= 32, at += 32) lanes3 = fold(lanes3, near, load256(at));
  const __m128i lane =
      fold(_mm256_castsi256_si128(lanes3), pair(fold_by(128)), _mm256_extracti128_si256(lanes3, 1));
  return finish(lane, at, left);
}

[[gnu::target("avx512f,pclmul,vpclmulqdq")]] uint64_t crc64_by_clmul512(
    uint64_t crc, std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < 512) return crc64_by_clmul128(crc, bytes);
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  const __m512i far = four(fold_by(2048));
  const __m512i near = four(fold_by(512));
  __m512i lanes0 = _mm512_xor_si512(load512(at), _mm512_zextsi128_si512(pair(crc, 0)));
  __m512i lanes1 = load512(at + 64);
  __m512i lanes2 = load512(at + 128);
  __m512i lanes3 = load512(at + 192);
  for (at += 256, left -= 256; left >= 256; left -= 256, at += 256) {
    for (size_t line = 0; line < 256; line += 64) prefetch(at + line);
    lanes0 = fold(lanes0, far, load512(at));
    lanes1 = fold(lanes1, far, load512(at + 64));
    lanes2 = fold(lanes2, far, load512(at + 128));
    lanes3 = fold(lanes3, far, load512(at + 192));
  }
  lanes1 = fold(lanes0, near, lanes1);
  lanes2 = fold(lanes1, near, lanes2);
  lanes3 = fold(lanes2, near, lanes3);
  for (; left >= 64; left -= 64, at += 64) lanes3 = fold(lanes3, near, load512(at));
  std::array<std::byte, 64> last;
  _mm512_storeu_si512(last.data(), lanes3);
  const __m128i by = pair(fold_by(128));
  __m128i lane = load(last.data());
  for (size_t i = 16; i < last.size(); i += 16) lane = fold(lane, by, load(last.data() + i));
  return finish(lane, at, left);
}

}  // namespace sluice::rdb
