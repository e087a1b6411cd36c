// intset: u32 width, u32 count, the integers ascending.
// zipmap: u8 count, then {length, field, length, u8 free, value, free bytes}, 0xFF.

#include "rdb/inner_encoding.h"

namespace sluice::rdb {
namespace {

constexpr std::uint64_t intset_header_bytes = 8;

}  // namespace

void Intset::begin(std::uint64_t size, bool strict) noexcept {
  InnerEncoding::begin(size);
  strict_ = strict;
  width_ = 0;
}

Step Intset::step(ItemSink& sink) {
  if (width_ == 0) return step_header();
  if (items_ == count_) {
    complete_ = true;
    return Step::ok;
  }
  std::span<const std::byte> token;
  if (const Step taken = cursor_.take_bytes(width_, token); taken != Step::ok) return taken;
  const std::uint64_t bits = 8 * width_;
  const std::uint64_t stored = little_endian(token.data(), width_);
  const std::int64_t value = static_cast<std::int64_t>(stored << (64 - bits)) >> (64 - bits);
  if (strict_ && items_ > 0 && value <= previous_) {
    return fail_at(std::to_string(value) + " follows " + std::to_string(previous_));
  }
  previous_ = value;
  return pass({.bytes = {}, .size = 0, .integer = value, .is_integer = true}, sink);
}

Step Intset::step_header() {
  std::span<const std::byte> token;
  if (size_ < intset_header_bytes) return fail("it has only " + std::to_string(size_) + " bytes");
  if (const Step taken = cursor_.take_bytes(intset_header_bytes, token); taken != Step::ok) {
    return taken;
  }
  const std::uint64_t width = little_endian(token.data(), 4);
  count_ = little_endian(token.data() + 4, 4);
  if (width != 2 && width != 4 && width != 8) {
    return fail("its integers have " + std::to_string(width) + " bytes");
  }
  if (intset_header_bytes + width * count_ != size_) {  // both below 2^32: cannot wrap
    return fail(std::to_string(count_) + " integers of " + std::to_string(width) +
                " bytes do not make " + std::to_string(size_));
  }
  width_ = width;
  return Step::ok;
}

std::size_t Intset::pass_sound(std::span<const std::byte> bytes) {
  if (bytes.size() < intset_header_bytes || bytes.size() > size_) return 0;
  const std::uint64_t width = little_endian(bytes.data(), 4);
  const std::uint64_t count = little_endian(bytes.data() + 4, 4);
  if (width != 2 && width != 4 && width != 8) return 0;
  if (intset_header_bytes + width * count != size_) return 0;
  width_ = width;
  count_ = count;
  const auto integers = bytes.subspan(intset_header_bytes);
  std::size_t passed = 0;
  if (width == 2) passed = pass_integers<std::int16_t>(integers);
  if (width == 4) passed = pass_integers<std::int32_t>(integers);
  if (width == 8) passed = pass_integers<std::int64_t>(integers);
  items_ = passed;
  cursor_.restart(intset_header_bytes + passed * width);
  return intset_header_bytes + passed * static_cast<std::size_t>(width);
}

template <class Integer>
std::size_t Intset::pass_integers(std::span<const std::byte> bytes) noexcept {
  const std::size_t count = bytes.size() / sizeof(Integer);
  const std::byte* at = bytes.data();
  Integer last = 0;
  std::size_t passed = 0;
  for (; passed < count; ++passed, at += sizeof(Integer)) {
    Integer value;
    std::memcpy(&value, at, sizeof value);
    if (strict_ && passed > 0 && value <= last) break;
    last = value;
  }
  previous_ = last;
  return passed;
}

void Zipmap::begin(std::uint64_t size) noexcept {
  InnerEncoding::begin(size);
  state_ = State::count;
}

Step Zipmap::step(ItemSink& sink) {
  std::uint8_t byte = 0;
  Step taken = Step::ok;
  switch (state_) {
    case State::count:
      taken = cursor_.take_byte(byte);
      if (taken != Step::ok) return taken;
      count_ = byte;
      state_ = State::length;
      return Step::ok;
    case State::length: return step_length();
    case State::slack:
      taken = cursor_.take_byte(byte);
      if (taken != Step::ok) return taken;
      free_ = byte;
      state_ = State::text;
      return Step::ok;
    case State::text:
      taken = take_text(sink);
      if (taken == Step::ok) state_ = items_ % 2 == 0 ? State::free : State::length;
      return taken;
    case State::free:
      cursor_.take_part(free_);
      if (free_ > 0) return Step::more;
      state_ = State::length;
      return Step::ok;
  }
  return Step::fail;
}

Step Zipmap::step_length() {
  std::uint8_t first = 0;
  if (const Step seen = cursor_.peek(first); seen != Step::ok) return seen;
  std::span<const std::byte> token;
  if (const Step taken = cursor_.take_bytes(first == 0xFE ? 5 : 1, token); taken != Step::ok) {
    return taken;
  }
  const bool at_value = items_ % 2 == 1;
  if (first == 0xFF) {
    if (at_value) return fail_at("a field without its value");
    if (count_ < 254 && count_ != items_ / 2) {
      return fail("it says " + std::to_string(count_) + " fields, there are " +
                  std::to_string(items_ / 2));
    }
    complete_ = true;
    return Step::ok;
  }
  left_ = text_size_ = first == 0xFE ? little_endian(token.data() + 1, 4) : first;
  if (first == 0xFE && text_size_ < 254) return fail_at("a short length in its long form");
  const std::uint64_t room = size_ - std::min(size_, cursor_.here());
  if (text_size_ >= room) {
    return fail_at("its " + std::to_string(text_size_) + " bytes reach beyond the end");
  }
  state_ = at_value ? State::slack : State::text;
  return Step::ok;
}

}  // namespace sluice::rdb
