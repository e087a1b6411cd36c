// ziplist: u32 bytes, u32 offset of the last entry, u16 count, entries, 0xFF. An entry is the
// length of the entry before it, its head, its text.

#include "rdb/inner_encoding.h"

namespace sluice::rdb {
namespace {

constexpr std::size_t header_bytes = 10;
constexpr std::uint64_t count_unknown = 65535;

bool is_text(unsigned first) noexcept { return first < 0xC0; }

/// Bytes of the head: integers whole, texts up to where they begin; 0: invalid.
std::size_t head_bytes_of(unsigned first) noexcept {
  switch (first) {
    case 0xC0: return 3;
    case 0xD0: return 5;
    case 0xE0: return 9;
    case 0xF0: return 4;
    case 0xFE: return 2;
    default: break;
  }
  if (first < 0x40) return 1;
  if (first < 0x80) return 2;
  if (first < 0xC0) return 5;
  return first >= 0xF1 && first <= 0xFD ? 1 : 0;
}

std::uint64_t text_length(std::span<const std::byte> head) noexcept {
  std::uint64_t length = 0;
  if (head.size() == 5) {  // big endian
    for (const std::byte byte : head.subspan(1)) {
      length = length << 8 | std::to_integer<std::uint64_t>(byte);
    }
    return length;
  }
  length = std::to_integer<std::uint64_t>(head[0]) & 0x3F;
  return head.size() == 1 ? length : length << 8 | std::to_integer<std::uint64_t>(head[1]);
}

std::int64_t integer_of(std::span<const std::byte> head) noexcept {
  if (head.size() == 1) return std::to_integer<std::int64_t>(head[0] & std::byte{0x0F}) - 1;
  const std::size_t bits = 8 * (head.size() - 1);
  const std::uint64_t value = little_endian(head.data() + 1, head.size() - 1);
  return static_cast<std::int64_t>(value << (64 - bits)) >> (64 - bits);  // sign-extended
}

}  // namespace

void Ziplist::begin(std::uint64_t size) noexcept {
  InnerEncoding::begin(size);
  state_ = State::header;
  start_ = header_bytes;
  previous_ = 0;
}

Step Ziplist::step(ItemSink& sink) {
  switch (state_) {
    case State::header: return step_header();
    case State::previous: return step_previous();
    case State::head: return step_head(sink);
    case State::text: {
      const Step taken = take_text(sink);
      if (taken == Step::ok) end_entry();
      return taken;
    }
  }
  return Step::fail;
}

Step Ziplist::step_header() {
  if (size_ < header_bytes + 1) return fail("it has only " + std::to_string(size_) + " bytes");
  std::span<const std::byte> token;
  if (const Step taken = cursor_.take_bytes(header_bytes, token); taken != Step::ok) return taken;
  const std::uint64_t bytes = little_endian(token.data(), 4);
  tail_ = little_endian(token.data() + 4, 4);
  count_ = little_endian(token.data() + 8, 2);
  if (bytes != size_) {
    return fail("its header says " + std::to_string(bytes) + " bytes, there are " +
                std::to_string(size_));
  }
  state_ = State::previous;
  return Step::ok;
}

Step Ziplist::step_previous() {
  std::uint8_t first = 0;
  if (const Step seen = cursor_.peek(first); seen != Step::ok) return seen;
  if (first == 0xFF) return take_terminator();
  std::span<const std::byte> token;
  if (const Step taken = cursor_.take_bytes(first == 0xFE ? 5 : 1, token); taken != Step::ok) {
    return taken;
  }
  const std::uint64_t says = first == 0xFE ? little_endian(token.data() + 1, 4) : first;
  if (says != previous_) {
    return fail_at("it says that the entry before has " + std::to_string(says) + " bytes, it has " +
                   std::to_string(previous_));
  }
  start_ = cursor_.token_offset();
  state_ = State::head;
  return Step::ok;
}

Step Ziplist::step_head(ItemSink& sink) {
  std::uint8_t first = 0;
  if (const Step seen = cursor_.peek(first); seen != Step::ok) return seen;
  const std::size_t head_bytes = head_bytes_of(first);
  if (head_bytes == 0) {
    cursor_.set_token_offset(start_);
    return fail_at("unknown encoding " + std::to_string(first));
  }
  std::span<const std::byte> head;
  if (const Step taken = cursor_.take_bytes(head_bytes, head); taken != Step::ok) return taken;
  left_ = text_size_ = is_text(first) ? text_length(head) : 0;
  const std::uint64_t room = size_ - std::min(size_, cursor_.here());
  if (text_size_ >= room) {  // the terminator comes after it
    return fail_at("its " + std::to_string(text_size_) + " bytes reach beyond the end");
  }
  if (is_text(first)) {
    state_ = State::text;
    return Step::ok;
  }
  const Item item{.bytes = {}, .size = 0, .integer = integer_of(head), .is_integer = true};
  end_entry();
  return pass(item, sink);
}

void Ziplist::end_entry() noexcept {
  previous_ = cursor_.here() - start_;
  state_ = State::previous;
}

Step Ziplist::take_terminator() {
  cursor_.advance(1);
  if (count_ != count_unknown && count_ != items_) {
    return fail("its header says " + std::to_string(count_) + " elements, there are " +
                std::to_string(items_));
  }
  if (tail_ != start_) {
    return fail("its header has the last entry at byte " + std::to_string(tail_) + ", it is at " +
                std::to_string(start_));
  }
  complete_ = true;
  return Step::ok;
}

}  // namespace sluice::rdb
