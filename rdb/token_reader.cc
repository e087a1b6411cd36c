#include "rdb/token_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "rdb/lzf.h"

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

void TokenReader::restart(std::uint64_t offset, unsigned version) noexcept {
  ByteCursor::restart(offset);
  version_ = version;
  string_state_ = StringState::length;
  skipping_ = false;
}

// The first byte tells the size of the token.
Step TokenReader::take_raw_len(std::uint64_t& value, bool& special) {
  std::uint8_t first = 0;
  if (const Step seen = peek(first); seen != Step::ok) return seen;
  const unsigned form = first >> 6;
  if (form == 0) {  // the most common by far
    advance(1);
    special = false;
    value = first;
    return Step::ok;
  }
  std::size_t size = 1;
  if (form == 1) size = 2;
  if (form == 2) {
    // Before version 8 the low bits of the 32-bit form meant nothing.
    if (first == 0x80 || version_ < 8) {
      size = 5;
    } else if (first == 0x81) {
      size = 9;
    } else {
      set_token_offset(here());
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

Step TokenReader::take_len(std::uint64_t& value) {
  bool special = false;
  const Step taken = take_raw_len(value, special);
  if (taken != Step::ok || !special) return taken;
  return fail(Errc::bad_length,
              "string encoding " + std::to_string(value) + " in place of a length");
}

Step TokenReader::skip(std::uint64_t size) noexcept {
  if (!skipping_) {
    skip_left_ = size;
    skipping_ = true;
  }
  take_part(skip_left_);
  if (skip_left_ > 0) return Step::more;
  skipping_ = false;
  return Step::ok;
}

Step TokenReader::take_string_head() {
  if (string_state_ == StringState::length && whole()) string_offset_ = here();
  while (string_state_ != StringState::payload) {
    std::uint64_t value = 0;
    bool special = false;
    const bool at_length = string_state_ == StringState::length;
    Step taken = at_length ? take_raw_len(value, special) : take_len(value);
    if (taken != Step::ok) return taken;
    if (string_state_ == StringState::length) {
      taken = set_string_length(value, special);
    } else if (string_state_ == StringState::lzf_compressed) {
      string_form_ = StringForm::lzf;
      string_size_ = value;
      string_state_ = StringState::lzf_plain;
    } else {
      taken = set_lzf_plain(value);
    }
    if (taken != Step::ok) return taken;
  }
  return Step::ok;
}

Step TokenReader::set_string_length(std::uint64_t value, bool special) {
  if (special && value > 3) {
    return fail(Errc::bad_string, "string encoding " + std::to_string(value));
  }
  string_form_ = !special ? StringForm::raw : StringForm::integer;
  string_size_ = !special ? value : std::uint64_t{1} << value;  // 1, 2 or 4 bytes
  string_plain_ = string_size_;
  string_state_ = special && value == 3 ? StringState::lzf_compressed : StringState::payload;
  return Step::ok;
}

Step TokenReader::set_lzf_plain(std::uint64_t value) {
  if (value / lzf_expansion_max > string_size_) {
    return fail(Errc::bad_string, "LZF cannot expand " + std::to_string(string_size_) +
                                      " bytes to " + std::to_string(value));
  }
  string_plain_ = value;
  string_state_ = StringState::payload;
  return Step::ok;
}

Step TokenReader::skip_string() {
  if (string_state_ != StringState::payload) {
    if (const Step taken = take_string_head(); taken != Step::ok) return taken;
  }
  const Step skipped = skip(string_size_);
  if (skipped == Step::ok) string_taken();
  return skipped;
}

Step TokenReader::take_text(std::span<const std::byte>& text, std::uint64_t bytes_max) {
  StringHead head;
  if (idle() && read_string_head(at(), end(), head) && head.form == StringForm::raw &&
      head.stored_bytes <= bytes_max) {
    text = {at() + head.head_bytes, static_cast<std::size_t>(head.stored_bytes)};
    advance(head.head_bytes);
    move_to(text.data() + text.size());
    return Step::ok;
  }
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
  string_taken();
  return decode_text(stored, text);
}

Step TokenReader::collect(std::span<const std::byte>& bytes) {
  std::uint64_t missing = string_size_ - collected_.size();
  if (collected_.empty() && left() >= missing) {
    bytes = take_part(missing);
    return Step::ok;
  }
  const std::span<const std::byte> part = take_part(missing);
  collected_.insert(collected_.end(), part.begin(), part.end());
  if (missing > 0) return Step::more;
  bytes = collected_;
  return Step::ok;
}

Step TokenReader::decode_text(std::span<const std::byte> stored, std::span<const std::byte>& text) {
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
  plain_.resize(integer_text_bytes);
  text = integer_text(stored_integer(stored), std::span(plain_).first<integer_text_bytes>());
  return Step::ok;
}

Step TokenReader::fail(Errc code, std::string detail) {
  code_ = code;
  detail_ = std::move(detail);
  return Step::fail;
}

std::span<const std::byte> integer_text(std::int64_t number,
                                        std::span<std::byte, integer_text_bytes> room) noexcept {
  auto* const digits = reinterpret_cast<char*>(room.data());
  const auto end = std::to_chars(digits, digits + room.size(), number).ptr;
  return room.first(static_cast<std::size_t>(end - digits));
}

std::int32_t stored_integer(std::span<const std::byte> stored) noexcept {
  if (stored.size() == 1) return read_little_endian<std::int8_t>(stored);
  if (stored.size() == 2) return read_little_endian<std::int16_t>(stored);
  return read_little_endian<std::int32_t>(stored);
}

void empty(std::vector<std::byte>& buffer) {
  constexpr std::size_t keep_bytes_max = 1 << 20;
  buffer.clear();
  if (buffer.capacity() > keep_bytes_max) buffer.shrink_to_fit();
}

}  // namespace sluice::rdb
