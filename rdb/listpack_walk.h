#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "rdb/byte_cursor.h"
#include "rdb/inner_encoding.h"

namespace sluice::rdb {

// The elements of a listpack. The first byte of an element tells what it is and how long its head.

/// Bytes of the head by its first byte: integers whole, texts up to where they begin; 0: invalid.
[[nodiscard]] constexpr std::array<std::uint8_t, 256> make_listpack_heads() {
  std::array<std::uint8_t, 256> bytes{};
  for (unsigned first = 0; first < 256; ++first) {
    if (first < 0xC0) bytes[first] = 1;                   // 7-bit integer, text up to 63
    if (first >= 0xC0 && first < 0xF0) bytes[first] = 2;  // 13-bit integer, text up to 4095
    if (first == 0xF0) bytes[first] = 5;                  // text with a 32-bit length
    if (first >= 0xF1 && first <= 0xF3) bytes[first] = static_cast<std::uint8_t>(first - 0xF1 + 3);
    if (first == 0xF4) bytes[first] = 9;
  }
  return bytes;
}
inline constexpr auto listpack_head_bytes = make_listpack_heads();

[[nodiscard]] constexpr bool listpack_is_text(unsigned first) noexcept {
  return (first & 0xC0) == 0x80 || (first & 0xF0) == 0xE0 || first == 0xF0;
}

[[nodiscard]] inline std::uint64_t listpack_text_length(std::span<const std::byte> head) noexcept {
  const auto first = std::to_integer<std::uint64_t>(head[0]);
  if (head.size() == 1) return first & 0x3F;
  if (head.size() == 2) return (first & 0x0F) << 8 | std::to_integer<std::uint64_t>(head[1]);
  return little_endian(head.data() + 1, 4);
}

[[nodiscard]] inline std::int64_t listpack_integer(std::span<const std::byte> head) noexcept {
  const auto first = std::to_integer<std::int64_t>(head[0]);
  if (head.size() == 1) return first;
  if (head.size() == 2) {  // 13 bits
    const std::int64_t value = (first & 0x1F) << 8 | std::to_integer<std::int64_t>(head[1]);
    return value >= 4096 ? value - 8192 : value;
  }
  const std::size_t bits = 8 * (head.size() - 1);
  const std::uint64_t value = little_endian(head.data() + 1, head.size() - 1);
  return static_cast<std::int64_t>(value << (64 - bits)) >> (64 - bits);  // sign-extended
}

/// Bytes of the back length. At three sizes older servers took one more than newer ones, which the
/// first byte tells (valkey #3601, redis #15151).
[[nodiscard]] constexpr std::size_t listpack_back_bytes(std::uint64_t entry,
                                                        std::uint8_t first) noexcept {
  const bool newer = first == 0x7F;
  if (entry <= 127) return 1;
  if (entry < 16383 || (entry == 16383 && newer)) return 2;
  if (entry < 2097151 || (entry == 2097151 && newer)) return 3;
  if (entry < 268435455 || (entry == 268435455 && newer)) return 4;
  return 5;
}

/// Whether a back length says `entry`: 7 bits a byte, the most significant first; all but the first
/// have bit 7 set.
[[nodiscard]] inline bool listpack_says(std::span<const std::byte> back_length,
                                        std::uint64_t entry) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < back_length.size(); ++i) {
    const auto byte = std::to_integer<std::uint64_t>(back_length[i]);
    if ((byte >> 7 != 0) != (i > 0)) return false;
    value = value << 7 | (byte & 0x7F);
  }
  return value == entry;
}

/// Goes from element to element of a listpack as long as they are sound and all there. Whatever it
/// stops at, a cut, an error, the terminator, is for Listpack::feed(), which knows what it is.
class ListpackWalk {
 public:
  struct Element {
    const std::byte* text = nullptr;  ///< Null: an integer.
    std::uint64_t bits = 0;           ///< The size of the text; the integer in two's complement.

    [[nodiscard]] bool is_integer() const noexcept { return text == nullptr; }
    [[nodiscard]] std::int64_t integer() const noexcept { return static_cast<std::int64_t>(bits); }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
      return {text, static_cast<std::size_t>(bits)};
    }
    [[nodiscard]] Item item() const noexcept {
      if (is_integer()) return {.bytes = {}, .integer = integer(), .is_integer = true};
      return {.bytes = bytes(), .size = bits};
    }
  };

  /// `bytes` begin where an element does.
  explicit ListpackWalk(std::span<const std::byte> bytes) noexcept
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  /// False when there is no such element; at() stays where it is.
  [[nodiscard]] bool next(Element& element) noexcept {
    const auto left = static_cast<std::size_t>(end_ - at_);
    if (left < 3) return false;  // the element, its back length, the terminator
    const auto first = std::to_integer<std::uint8_t>(*at_);
    if (first >= 0xC0) return next_long(element, left);
    const bool is_integer = first < 0x80;
    const std::size_t size = is_integer ? 0 : first & 0x3F;
    if (left < size + 3 || std::to_integer<std::size_t>(at_[size + 1]) != size + 1) return false;
    element.text = is_integer ? nullptr : at_ + 1;
    element.bits = is_integer ? first : size;
    at_ += size + 2;
    return true;
  }
  [[nodiscard]] const std::byte* at() const noexcept { return at_; }
  /// Back to where an element began.
  void back_to(const std::byte* at) noexcept { at_ = at; }

 private:
  bool next_long(Element& element, std::size_t left) noexcept {
    const auto first = std::to_integer<std::uint8_t>(*at_);
    const std::size_t head_bytes = listpack_head_bytes[first];
    if (head_bytes == 0 || left < head_bytes + 2) return false;
    const std::span<const std::byte> head(at_, head_bytes);
    const bool is_text = listpack_is_text(first);
    const std::uint64_t size = is_text ? listpack_text_length(head) : 0;
    const std::uint64_t entry = head_bytes + size;
    if (left < entry + 2) return false;
    const std::byte* const back = at_ + entry;
    const std::size_t bytes = listpack_back_bytes(entry, std::to_integer<std::uint8_t>(*back));
    if (left < entry + bytes + 1 || !listpack_says({back, bytes}, entry)) return false;
    element.text = is_text ? at_ + head_bytes : nullptr;
    element.bits = is_text ? size : static_cast<std::uint64_t>(listpack_integer(head));
    at_ = back + bytes;
    return true;
  }

  const std::byte* at_;
  const std::byte* end_;
};

}  // namespace sluice::rdb
