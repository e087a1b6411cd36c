// listpack: u32 bytes, u16 count, elements, 0xFF. An element is its head, its text, and its own
// length once more, to be read backwards.

#include "rdb/inner_encoding.h"

namespace sluice::rdb {
namespace {

constexpr std::size_t header_bytes = 6;
constexpr std::uint64_t count_unknown = 65535;

/// Bytes of the head by its first byte: integers whole, texts up to where they begin; 0: invalid.
constexpr std::array<std::uint8_t, 256> make_head_bytes() {
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
constexpr auto head_bytes_of = make_head_bytes();

constexpr bool is_text(unsigned first) noexcept {
  return (first & 0xC0) == 0x80 || (first & 0xF0) == 0xE0 || first == 0xF0;
}

std::uint64_t text_length(std::span<const std::byte> head) noexcept {
  const auto first = std::to_integer<std::uint64_t>(head[0]);
  if (head.size() == 1) return first & 0x3F;
  if (head.size() == 2) return (first & 0x0F) << 8 | std::to_integer<std::uint64_t>(head[1]);
  return little_endian(head.data() + 1, 4);
}

std::int64_t integer_of(std::span<const std::byte> head) noexcept {
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
std::size_t back_length_bytes(std::uint64_t entry, std::uint8_t first) noexcept {
  const bool newer = first == 0x7F;
  if (entry <= 127) return 1;
  if (entry < 16383 || (entry == 16383 && newer)) return 2;
  if (entry < 2097151 || (entry == 2097151 && newer)) return 3;
  if (entry < 268435455 || (entry == 268435455 && newer)) return 4;
  return 5;
}

/// 7 bits a byte, the most significant first; all but the first have bit 7 set.
bool says(std::span<const std::byte> back_length, std::uint64_t entry) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < back_length.size(); ++i) {
    const auto byte = std::to_integer<std::uint64_t>(back_length[i]);
    if ((byte >> 7 != 0) != (i > 0)) return false;
    value = value << 7 | (byte & 0x7F);
  }
  return value == entry;
}

}  // namespace

void Listpack::begin(std::uint64_t size) noexcept {
  InnerEncoding::begin(size);
  state_ = State::header;
}

Step Listpack::step(ItemSink& sink) {
  switch (state_) {
    case State::header: return step_header();
    case State::head: return step_head(sink);
    case State::text: {
      const Step taken = take_text(sink);
      if (taken == Step::ok) state_ = State::back_length;
      return taken;
    }
    case State::back_length: return step_back_length();
  }
  return Step::fail;
}

Step Listpack::pass_whole(ItemSink& sink) {
  if (state_ != State::head || !cursor_.whole()) return Step::ok;
  const std::byte* at = cursor_.at();
  const std::byte* const end = cursor_.end();
  Step passed = Step::ok;
  while (at != end && passed == Step::ok) {
    const auto first = std::to_integer<unsigned>(*at);
    const auto left = static_cast<std::size_t>(end - at);
    const std::size_t head_bytes = head_bytes_of[first];
    if (head_bytes == 0 || head_bytes + 5 >= left) break;
    const std::span<const std::byte> head(at, head_bytes);
    Item item;
    std::uint64_t entry = head_bytes;
    if (is_text(first)) {
      item.size = text_length(head);
      entry += item.size;
      if (entry + 5 >= left) break;  // room for any back length, and the terminator
      item.bytes = {at + head_bytes, static_cast<std::size_t>(item.size)};
    } else {
      item.integer = integer_of(head);
      item.is_integer = true;
    }
    const std::byte* const back = at + entry;
    if (entry <= 127) {
      if (std::to_integer<std::uint64_t>(*back) != entry) break;
      at = back + 1;
    } else {
      const std::size_t bytes = back_length_bytes(entry, std::to_integer<std::uint8_t>(*back));
      if (!says({back, bytes}, entry)) break;
      at = back + bytes;
    }
    passed = pass(item, sink);
  }
  cursor_.move_to(at);
  return passed;
}

Step Listpack::step_header() {
  if (size_ < header_bytes + 1) return fail("it has only " + std::to_string(size_) + " bytes");
  std::span<const std::byte> token;
  if (const Step taken = cursor_.take_bytes(header_bytes, token); taken != Step::ok) return taken;
  const std::uint64_t bytes = little_endian(token.data(), 4);
  count_ = little_endian(token.data() + 4, 2);
  if (bytes != size_) {
    return fail("its header says " + std::to_string(bytes) + " bytes, there are " +
                std::to_string(size_));
  }
  state_ = State::head;
  return Step::ok;
}

Step Listpack::step_head(ItemSink& sink) {
  std::uint8_t first = 0;
  if (const Step seen = cursor_.peek(first); seen != Step::ok) return seen;
  if (first == 0xFF) return take_terminator();
  const std::size_t head_bytes = head_bytes_of[first];
  if (head_bytes == 0) {
    cursor_.set_token_offset(cursor_.here());
    return fail_at("unknown encoding " + std::to_string(first));
  }
  std::span<const std::byte> head;
  if (const Step taken = cursor_.take_bytes(head_bytes, head); taken != Step::ok) return taken;
  entry_ = head_bytes;
  const bool text = is_text(first);
  if (text) {
    left_ = text_size_ = text_length(head);
    entry_ += text_size_;
  }
  // The element, its back length and the terminator lie within.
  const std::uint64_t room = size_ - std::min(size_, cursor_.token_offset());
  if (entry_ > room || room - entry_ < 2) {
    return fail_at("its " + std::to_string(entry_) + " bytes reach beyond the end");
  }
  state_ = text ? State::text : State::back_length;
  if (text) return Step::ok;
  const Item item{.bytes = {}, .size = 0, .integer = integer_of(head), .is_integer = true};
  return pass(item, sink);
}

Step Listpack::step_back_length() {
  std::uint8_t first = 0;
  if (const Step seen = cursor_.peek(first); seen != Step::ok) return seen;
  const std::size_t bytes = back_length_bytes(entry_, first);
  std::span<const std::byte> token;
  if (const Step taken = cursor_.take_bytes(bytes, token); taken != Step::ok) return taken;
  if (!says(token, entry_)) {
    --items_;  // the element before
    return fail_at("its back length is not " + std::to_string(entry_));
  }
  state_ = State::head;
  return Step::ok;
}

Step Listpack::take_terminator() {
  cursor_.advance(1);
  if (count_ != count_unknown && count_ != items_) {
    return fail("its header says " + std::to_string(count_) + " elements, there are " +
                std::to_string(items_));
  }
  complete_ = true;
  return Step::ok;
}

}  // namespace sluice::rdb
