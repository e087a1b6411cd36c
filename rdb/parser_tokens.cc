// Parser, part 1: tokens. Each reader completes its token from the window, or takes all that is
// left of the window, says `more`, and goes on where it was with the next feed.

#include <algorithm>
#include <charconv>
#include <cstring>

#include "rdb/lzf.h"
#include "rdb/parser.h"

namespace sluice::rdb {
namespace {

template <class Integer>
Integer read_little_endian(std::span<const std::byte> bytes) noexcept {
  Integer value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::uint64_t read_big_endian(std::span<const std::byte> bytes) noexcept {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return value;
}

}  // namespace

std::uint64_t Parser::here() const noexcept {
  return base_offset_ + static_cast<std::uint64_t>(at_ - window_);
}

Parser::Step Parser::take_bytes(std::size_t size, std::span<const std::byte>& token) {
  const auto available = static_cast<std::size_t>(end_ - at_);
  if (held_size_ == 0) {
    token_offset_ = here();
    if (available >= size) {
      token = {at_, size};
      at_ += size;
      return Step::ok;
    }
  }
  const std::size_t taken = std::min(size - held_size_, available);
  std::copy_n(at_, taken, held_.data() + held_size_);
  at_ += taken;
  held_size_ += taken;
  if (held_size_ < size) return Step::more;
  held_size_ = 0;
  token = {held_.data(), size};
  return Step::ok;
}

Parser::Step Parser::take_byte(std::uint8_t& value) {
  if (at_ == end_) return Step::more;
  token_offset_ = here();
  value = std::to_integer<std::uint8_t>(*at_++);
  return Step::ok;
}

// rdbLoadLenByRef(). The first byte tells the size of the token.
Parser::Step Parser::take_raw_len(std::uint64_t& value, bool& special) {
  if (held_size_ == 0 && at_ == end_) return Step::more;
  const auto first = std::to_integer<unsigned>(held_size_ > 0 ? held_[0] : *at_);
  const unsigned form = first >> 6;
  if (form == 0) {  // the most common by far
    token_offset_ = here();
    ++at_;
    special = false;
    value = first;
    return Step::ok;
  }
  std::size_t size = 1;
  if (form == 1) size = 2;
  if (form == 2) {
    // Before version 8 the low bits of the 32-bit form meant nothing.
    if (first == 0x80 || header_.version < 8) {
      size = 5;
    } else if (first == 0x81) {
      size = 9;
    } else {
      token_offset_ = here();
      return fail(Errc::bad_length, "first byte " + std::to_string(first));
    }
  }
  std::span<const std::byte> token;
  if (const Step taken = take_bytes(size, token); taken != Step::ok) return taken;
  special = form == 3;
  value = size <= 2 ? first & 0x3f : 0;
  if (size > 1) value = value << (8 * (size - 1) & 63) | read_big_endian(token.subspan(1));
  return Step::ok;
}

Parser::Step Parser::take_len(std::uint64_t& value) {
  bool special = false;
  const Step taken = take_raw_len(value, special);
  if (taken != Step::ok || !special) return taken;
  return fail(Errc::bad_length,
              "string encoding " + std::to_string(value) + " in place of a length");
}

Parser::Step Parser::skip(std::uint64_t size) {
  if (!skipping_) {
    skip_left_ = size;
    skipping_ = true;
  }
  const auto taken = std::min<std::uint64_t>(skip_left_, static_cast<std::uint64_t>(end_ - at_));
  at_ += taken;
  skip_left_ -= taken;
  if (skip_left_ > 0) return Step::more;
  skipping_ = false;
  return Step::ok;
}

// rdbGenericLoadStringObject() up to where the stored bytes begin.
Parser::Step Parser::take_string_head() {
  while (string_state_ != StringState::payload) {
    std::uint64_t value = 0;
    bool special = false;
    const bool at_length = string_state_ == StringState::length;
    const Step taken = at_length ? take_raw_len(value, special) : take_len(value);
    if (taken != Step::ok) return taken;

    switch (string_state_) {
      case StringState::length:
        if (special && value > 3) {
          return fail(Errc::bad_string, "string encoding " + std::to_string(value));
        }
        string_form_ = !special ? StringForm::raw : StringForm::integer;
        string_size_ = !special ? value : std::uint64_t{1} << value;  // 1, 2 or 4 bytes
        string_plain_ = string_size_;
        string_state_ = special && value == 3 ? StringState::lzf_compressed : StringState::payload;
        break;
      case StringState::lzf_compressed:
        string_form_ = StringForm::lzf;
        string_size_ = value;
        string_state_ = StringState::lzf_plain;
        break;
      case StringState::lzf_plain:
        if (value / lzf_expansion_max > string_size_) {
          return fail(Errc::bad_string, "LZF cannot expand " + std::to_string(string_size_) +
                                            " bytes to " + std::to_string(value));
        }
        string_plain_ = value;
        string_state_ = StringState::payload;
        break;
      case StringState::payload: break;
    }
  }
  return Step::ok;
}

Parser::Step Parser::skip_string() {
  // A short string that is all here needs none of the states.
  if (string_state_ == StringState::length && held_size_ == 0 && at_ != end_) {
    const auto size = std::to_integer<std::ptrdiff_t>(*at_);
    if (size < 0x40 && size < end_ - at_) {
      token_offset_ = here();
      at_ += 1 + size;
      return Step::ok;
    }
  }
  if (string_state_ != StringState::payload) {
    if (const Step taken = take_string_head(); taken != Step::ok) return taken;
  }
  const Step skipped = skip(string_size_);
  if (skipped == Step::ok) string_state_ = StringState::length;
  return skipped;
}

Parser::Step Parser::take_text(std::span<const std::byte>& text, std::uint64_t bytes_max) {
  if (string_state_ != StringState::payload) {
    if (const Step taken = take_string_head(); taken != Step::ok) return taken;
    if (std::max(string_size_, string_plain_) > bytes_max) {
      return fail(Errc::too_long, std::to_string(std::max(string_size_, string_plain_)) +
                                      " bytes, at most " + std::to_string(bytes_max) +
                                      " are accepted here");
    }
    empty(collected_);
    empty(plain_);
  }
  std::span<const std::byte> stored;
  if (const Step taken = collect(stored); taken != Step::ok) return taken;
  string_state_ = StringState::length;
  return decode_text(stored, text);
}

// Keeps the memory for the next one, unless it is much.
void Parser::empty(std::vector<std::byte>& buffer) {
  constexpr std::size_t keep_bytes_max = 1 << 20;
  buffer.clear();
  if (buffer.capacity() > keep_bytes_max) buffer.shrink_to_fit();
}

Parser::Step Parser::collect(std::span<const std::byte>& bytes) {
  const auto available = static_cast<std::size_t>(end_ - at_);
  if (collected_.empty() && available >= string_size_) {
    bytes = {at_, static_cast<std::size_t>(string_size_)};
    at_ += string_size_;
    return Step::ok;
  }
  const auto taken = std::min<std::uint64_t>(string_size_ - collected_.size(), available);
  collected_.insert(collected_.end(), at_, at_ + taken);
  at_ += taken;
  if (collected_.size() < string_size_) return Step::more;
  bytes = collected_;
  return Step::ok;
}

Parser::Step Parser::decode_text(std::span<const std::byte> stored,
                                 std::span<const std::byte>& text) {
  if (string_form_ == StringForm::raw) {
    text = stored;
    return Step::ok;
  }
  if (string_form_ == StringForm::lzf) {
    plain_.resize(string_plain_);  // at most 88 times what is really there
    text = plain_;
    if (lzf_decompress(stored, plain_)) return Step::ok;
    return fail(Errc::bad_string,
                "LZF data does not expand to " + std::to_string(string_plain_) + " bytes");
  }
  std::int32_t number = 0;
  if (stored.size() == 1) number = read_little_endian<std::int8_t>(stored);
  if (stored.size() == 2) number = read_little_endian<std::int16_t>(stored);
  if (stored.size() == 4) number = read_little_endian<std::int32_t>(stored);
  std::array<char, 12> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  plain_.resize(static_cast<std::size_t>(end - digits.data()));
  std::memcpy(plain_.data(), digits.data(), plain_.size());
  text = plain_;
  return Step::ok;
}

}  // namespace sluice::rdb
