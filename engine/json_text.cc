#include "engine/json_text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cstring>

#include "engine/spool.h"

namespace sluice::engine {
namespace {

using Byte = unsigned char;

constexpr std::uint64_t high_bits = 0x8080808080808080;

std::uint64_t load(const Byte* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Copies a few bytes from `at` to `to` and gives the number of those in front that stand for
/// themselves: all but controls, quote, backslash and what is not ASCII. `step` when all do.
#if defined(__SSE2__)
constexpr std::size_t step = 16;

std::size_t copy_plain(char* to, const Byte* at) {
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), block);
  const __m128i outside = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));  // signed: above 0x7f, too
  const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
  const int marks = _mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(quote, backslash)));
  return static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(marks) | 1U << step));
}
#else
constexpr std::size_t step = 8;
static_assert(std::endian::native == std::endian::little, "the lowest mark is the first byte's");

std::size_t copy_plain(char* to, const Byte* at) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const std::uint64_t word = load(at);
  std::memcpy(to, &word, sizeof word);
  const std::uint64_t quote = word ^ (ones * '"');
  const std::uint64_t backslash = word ^ (ones * '\\');
  // The lowest mark is exact; those above it may be the work of a borrow.
  const std::uint64_t marks =
      ((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & high_bits;
  if (marks == 0) return step;
  return static_cast<std::size_t>(std::countr_zero(marks)) / 8;
}
#endif

bool continues(Byte byte) { return (byte & 0xc0) == 0x80; }

/// Bytes of the sequence that begins with this one; 0 when none does.
std::size_t sequence_size(Byte lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;  // continuation, or overlong
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/// Whether `size` bytes, as sequence_size() says, are a character. The second byte tells overlong
/// forms, surrogates and what is above U+10FFFF.
bool is_character(const Byte* at, std::size_t size) {
  switch (size) {
    case 1: return true;
    case 2: return continues(at[1]);
    case 3:
      return continues(at[1]) && continues(at[2]) && !(at[0] == 0xe0 && at[1] < 0xa0) &&
             !(at[0] == 0xed && at[1] >= 0xa0);
    case 4:
      return continues(at[1]) && continues(at[2]) && continues(at[3]) &&
             !(at[0] == 0xf0 && at[1] < 0x90) && !(at[0] == 0xf4 && at[1] >= 0x90);
    default: return false;
  }
}

char* escape_byte(char* to, Byte byte) {
  constexpr const char* hex = "0123456789abcdef";
  *to++ = '\\';
  if (byte == '"' || byte == '\\') {
    *to++ = static_cast<char>(byte);
  } else if (byte >= 8 && byte <= 13 && byte != 11) {
    *to++ = "btnvfr"[byte - 8];
  } else {
    *to++ = 'u';
    *to++ = '0';
    *to++ = '0';
    *to++ = hex[byte >> 4];
    *to++ = hex[byte & 15];
  }
  return to;
}

/// Escapes [at, end) to `to`, which has room for 6 bytes for each. With `check`, gives null at the
/// first byte that is not UTF-8; without, what is not ASCII is copied.
template <bool check>
char* escape(char* to, const Byte* at, const Byte* end) {
  while (at != end) {
    while (end - at >= static_cast<std::ptrdiff_t>(step)) {
      const std::size_t plain = copy_plain(to, at);
      at += plain;
      to += plain;
      if (plain < step) break;
    }
    if (at == end) break;
    const Byte byte = *at;
    if (byte < 0x20 || byte == '"' || byte == '\\') {
      to = escape_byte(to, byte);
      ++at;
      continue;
    }
    std::size_t size = 1;
    if constexpr (check) {
      size = sequence_size(byte);
      if (size == 0 || end - at < static_cast<std::ptrdiff_t>(size) || !is_character(at, size)) {
        return nullptr;
      }
    }
    for (; size > 0; --size) *to++ = static_cast<char>(*at++);
  }
  return to;
}

const Byte* begin_of(std::span<const std::byte> bytes) {
  return reinterpret_cast<const Byte*>(bytes.data());
}

constexpr std::size_t piece_bytes = 8 << 10;  // what surely fits into room_max when escaped
static_assert(piece_bytes * 6 + 16 <= OutputBuffer::room_max);

/// Two letters for each twelve bits.
constexpr auto letter_pairs = [] {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::array<char, 2>, 4096> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {letters[i >> 6], letters[i & 63]};
  return pairs;
}();

/// Whole groups of three bytes only.
char* encode_base64(char* to, const Byte* at, const Byte* end) {
  for (; at != end; at += 3, to += 4) {
    const unsigned bits = unsigned{at[0]} << 16 | unsigned{at[1]} << 8 | at[2];
    std::memcpy(to, letter_pairs[bits >> 12].data(), 2);
    std::memcpy(to + 2, letter_pairs[bits & 4095].data(), 2);
  }
  return to;
}

void append_base64_object(OutputBuffer& out, std::span<const std::byte> text) {
  out.append(R"({"$base64":")");
  Base64Writer base64(out);
  base64.append(text);
  base64.finish();
  out.append(R"("})");
}

}  // namespace

bool Utf8Checker::feed(std::span<const std::byte> part) {
  if (!ok_) return false;
  const Byte* at = begin_of(part);
  const Byte* const end = at + part.size();
  while (at != end) {
    if (held_size_ == 0) {
      while (end - at >= 8 && (load(at) & high_bits) == 0) at += 8;
      if (at == end) break;
    }
    held_[held_size_++] = *at++;
    const std::size_t size = sequence_size(held_[0]);
    if (held_size_ < size) continue;
    if (!is_character(held_.data(), size)) return ok_ = false;
    held_size_ = 0;
  }
  return true;
}

bool is_utf8(std::span<const std::byte> text) {
  Utf8Checker checker;
  checker.feed(text);
  return checker.complete();
}

void Base64Writer::append(std::span<const std::byte> part) {
  while (held_size_ > 0 && held_size_ < 3 && !part.empty()) {
    held_[held_size_++] = part.front();
    part = part.subspan(1);
  }
  if (held_size_ == 3) {
    char* const to = out_.room(4);
    out_.advance(encode_base64(to, begin_of(held_), begin_of(held_) + 3));
    held_size_ = 0;
  }
  constexpr std::size_t group_bytes = 3 * (std::size_t{8} << 10);
  while (part.size() >= 3) {
    const std::size_t size = std::min(part.size() / 3 * 3, group_bytes);
    char* const to = out_.room(size / 3 * 4);
    out_.advance(encode_base64(to, begin_of(part), begin_of(part) + size));
    part = part.subspan(size);
  }
  for (const std::byte byte : part) held_[held_size_++] = byte;
}

void Base64Writer::finish() {
  if (held_size_ == 0) return;
  std::fill(held_.begin() + static_cast<std::ptrdiff_t>(held_size_), held_.end(), std::byte{0});
  char* const to = out_.room(4);
  char* const end = encode_base64(to, begin_of(held_), begin_of(held_) + 3);
  std::fill(end - (3 - held_size_), end, '=');
  out_.advance(end);
  held_size_ = 0;
}

void append_json_escaped(OutputBuffer& out, std::span<const std::byte> utf8) {
  while (!utf8.empty()) {
    const auto piece = utf8.first(std::min(utf8.size(), piece_bytes));
    char* const to = out.room(piece.size() * 6 + 8);
    out.advance(escape<false>(to, begin_of(piece), begin_of(piece) + piece.size()));
    utf8 = utf8.subspan(piece.size());
  }
}

void append_json_text(OutputBuffer& out, std::span<const std::byte> text) {
  if (text.size() <= piece_bytes) {
    char* const to = out.room(text.size() * 6 + 10);
    *to = '"';
    char* const end = escape<true>(to + 1, begin_of(text), begin_of(text) + text.size());
    if (end == nullptr) {
      append_base64_object(out, text);
      return;
    }
    *end = '"';
    out.advance(end + 1);
    return;
  }
  if (!is_utf8(text)) {
    append_base64_object(out, text);
    return;
  }
  out.append('"');
  append_json_escaped(out, text);
  out.append('"');
}

void append_json_text(OutputBuffer& out, Spool& spool, std::uint64_t offset, std::uint64_t size) {
  if (const auto whole = spool.piece(offset, size); whole.size() == size) {
    append_json_text(out, whole);
    return;
  }
  Utf8Checker checker;
  spool.for_each_piece(offset, size, [&](auto piece) { return checker.feed(piece); });
  if (checker.complete()) {
    out.append('"');
    spool.for_each_piece(offset, size, [&](auto piece) {
      append_json_escaped(out, piece);
      return true;
    });
    out.append('"');
    return;
  }
  out.append(R"({"$base64":")");
  Base64Writer base64(out);
  spool.for_each_piece(offset, size, [&](auto piece) {
    base64.append(piece);
    return true;
  });
  base64.finish();
  out.append(R"("})");
}

}  // namespace sluice::engine
