// listpack: u32 bytes, u16 count, elements, 0xFF. An element is its head, its text, and its own
// length once more, to be read backwards.

#include "rdb/inner_encoding.h"
#include "rdb/listpack_walk.h"

namespace sluice::rdb {
namespace {

constexpr std::size_t header_bytes = 6;
constexpr std::uint64_t count_unknown = 65535;

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

std::span<const std::byte> Listpack::open(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() <= header_bytes || bytes.size() > size_) return {};
  if (little_endian(bytes.data(), 4) != size_) return {};
  count_ = little_endian(bytes.data() + 4, 2);
  state_ = State::head;
  cursor_.restart(header_bytes);
  return bytes.subspan(header_bytes);
}

void Listpack::pass_over(std::size_t bytes, std::uint64_t items) noexcept {
  cursor_.restart(header_bytes + bytes);
  items_ = items;
}

Step Listpack::pass_whole(ItemSink& sink) {
  if (state_ != State::head || !cursor_.whole()) return Step::ok;
  ListpackWalk walk({cursor_.at(), cursor_.left()});
  ListpackWalk::Element element;
  Step passed = Step::ok;
  while (passed == Step::ok && walk.next(element)) passed = pass(element.item(), sink);
  cursor_.move_to(walk.at());
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
  const std::size_t head_bytes = listpack_head_bytes[first];
  if (head_bytes == 0) {
    cursor_.set_token_offset(cursor_.here());
    return fail_at("unknown encoding " + std::to_string(first));
  }
  std::span<const std::byte> head;
  if (const Step taken = cursor_.take_bytes(head_bytes, head); taken != Step::ok) return taken;
  entry_ = head_bytes;
  const bool text = listpack_is_text(first);
  if (text) {
    left_ = text_size_ = listpack_text_length(head);
    entry_ += text_size_;
  }
  // The element, its back length and the terminator lie within.
  const std::uint64_t room = size_ - std::min(size_, cursor_.token_offset());
  if (entry_ > room || room - entry_ < 2) {
    return fail_at("its " + std::to_string(entry_) + " bytes reach beyond the end");
  }
  state_ = text ? State::text : State::back_length;
  if (text) return Step::ok;
  const Item item{.bytes = {}, .size = 0, .integer = listpack_integer(head), .is_integer = true};
  return pass(item, sink);
}

Step Listpack::step_back_length() {
  std::uint8_t first = 0;
  if (const Step seen = cursor_.peek(first); seen != Step::ok) return seen;
  const std::size_t bytes = listpack_back_bytes(entry_, first);
  std::span<const std::byte> token;
  if (const Step taken = cursor_.take_bytes(bytes, token); taken != Step::ok) return taken;
  if (!listpack_says(token, entry_)) {
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
