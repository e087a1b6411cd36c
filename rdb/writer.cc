#include "rdb/writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "rdb/crc64.h"

namespace sluice::rdb {
namespace {

constexpr std::size_t buffer_bytes = 128 << 10;
constexpr std::size_t integer_text_max = 11;  // "-2147483648"
constexpr std::size_t compress_bytes_above = 20;
constexpr std::size_t compress_saves_min = 4;

enum Opcode : std::uint8_t {
  op_function = 245,
  op_idle = 248,
  op_freq = 249,
  op_aux = 250,
  op_resize_db = 251,
  op_expire_ms = 252,
  op_select_db = 254,
  op_eof = 255,
};

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// The number that `text` is the one and only decimal form of.
std::optional<std::int32_t> exact_integer(std::span<const std::byte> text) noexcept {
  if (text.empty() || text.size() > integer_text_max) return std::nullopt;
  const auto* const from = reinterpret_cast<const char*>(text.data());
  std::int32_t number = 0;
  const auto parsed = std::from_chars(from, from + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != from + text.size()) return std::nullopt;
  std::array<char, integer_text_max> again;
  const auto printed = std::to_chars(again.data(), again.data() + again.size(), number);
  const auto size = static_cast<std::size_t>(printed.ptr - again.data());
  if (size != text.size() || std::memcmp(again.data(), from, size) != 0) return std::nullopt;
  return number;
}

}  // namespace

Writer::Writer(const Header& header, Sink sink, WriteOptions options)
    : header_(header),
      sink_(std::move(sink)),
      options_(options),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes)) {
  if (!options_.compress) return;
  lzf_.emplace();
  squeezed_ = std::make_unique_for_overwrite<std::byte[]>(gather_bytes_max);
}

void Writer::begin() {
  const bool redis = header_.dialect == Dialect::redis;
  const std::string digits = std::to_string(header_.version);
  std::string magic = redis ? "REDIS" : "VALKEY";
  magic.append(9 - magic.size() - digits.size(), '0');
  raw(as_bytes(magic + digits));
}

void Writer::aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  assert(header_.version >= 7);
  byte(op_aux);
  string(key);
  string(value);
}

void Writer::aux(std::string_view key, std::string_view value) {
  aux(as_bytes(key), as_bytes(value));
}

void Writer::select_db(std::uint64_t db) {
  byte(op_select_db);
  len(db);
}

void Writer::resize_db(std::uint64_t keys, std::uint64_t expires) {
  assert(header_.version >= 7);
  byte(op_resize_db);
  len(keys);
  len(expires);
}

void Writer::function(std::span<const std::byte> source) {
  assert(header_.version >= 10);
  byte(op_function);
  string(source);
}

void Writer::expire_at_ms(std::int64_t when) {
  byte(op_expire_ms);
  fixed8(std::bit_cast<std::uint64_t>(when));
}

void Writer::idle(std::uint64_t seconds) {
  assert(header_.version >= 9);
  byte(op_idle);
  len(seconds);
}

void Writer::freq(std::uint8_t frequency) {
  assert(header_.version >= 9);
  byte(op_freq);
  byte(frequency);
}

void Writer::record(std::uint8_t type, std::span<const std::byte> key) {
  byte(type);
  string(key);
}

void Writer::end() {
  byte(op_eof);
  flush();
  fixed8(options_.checksum ? crc_ : 0);
  flush();
}

void Writer::byte(std::uint8_t value) { token(&value, 1); }

void Writer::len(std::uint64_t value) {
  std::array<std::uint8_t, 9> token_bytes;
  std::size_t size = 0;
  if (value < 1U << 6) {
    token_bytes[0] = static_cast<std::uint8_t>(value);
    size = 1;
  } else if (value < 1U << 14) {
    token_bytes[0] = static_cast<std::uint8_t>(0x40 | value >> 8);
    token_bytes[1] = static_cast<std::uint8_t>(value);
    size = 2;
  } else {
    const bool wide = value > std::numeric_limits<std::uint32_t>::max();
    assert(!wide || header_.version >= 8);
    token_bytes[0] = wide ? 0x81 : 0x80;
    const std::uint64_t big_endian = std::byteswap(wide ? value : value << 32);
    size = wide ? 9 : 5;
    std::memcpy(token_bytes.data() + 1, &big_endian, size - 1);
  }
  token(token_bytes.data(), size);
}

void Writer::fixed8(std::uint64_t value) { token(&value, sizeof value); }

void Writer::ascii_double(double value) {
  if (std::isinf(value)) return byte(value > 0 ? 254 : 255);
  assert(!std::isnan(value));
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const auto size = static_cast<std::size_t>(end - digits.data());
  byte(static_cast<std::uint8_t>(size));
  token(digits.data(), size);
}

void Writer::string(std::span<const std::byte> text) {
  string_part({.bytes = text, .size = text.size()});
}

// The form must not depend on the parts that a text comes in.
void Writer::string_part(const Text& part) {
  if (part.size > gather_bytes_max) {
    if (part.first) len(part.size);
    raw(part.bytes);
    return;
  }
  if (part.first && part.last) return whole_string(part.bytes);
  if (part.first) gathered_.clear();
  gathered_.insert(gathered_.end(), part.bytes.begin(), part.bytes.end());
  if (part.last) whole_string(gathered_);
}

void Writer::whole_string(std::span<const std::byte> text) {
  if (integer_string(text) || compressed_string(text)) return;
  len(text.size());
  raw(text);
}

bool Writer::integer_string(std::span<const std::byte> text) {
  const auto number = exact_integer(text);
  if (!number) return false;
  if (std::in_range<std::int8_t>(*number)) {
    byte(0xC0);
    token(&*number, 1);
  } else if (std::in_range<std::int16_t>(*number)) {
    byte(0xC1);
    token(&*number, 2);
  } else {
    byte(0xC2);
    token(&*number, 4);
  }
  return true;
}

bool Writer::compressed_string(std::span<const std::byte> text) {
  if (!lzf_ || text.size() <= compress_bytes_above) return false;
  const std::span<std::byte> out(squeezed_.get(), text.size() - compress_saves_min);
  const std::size_t size = lzf_->compress(text, out);
  if (size == 0) return false;
  byte(0xC3);
  len(size);
  len(text.size());
  raw(out.first(size));
  return true;
}

void Writer::raw(std::span<const std::byte> bytes) {
  if (bytes.size() <= buffer_bytes - held_) {
    if (!bytes.empty()) std::memcpy(buffer_.get() + held_, bytes.data(), bytes.size());
    held_ += bytes.size();
    return;
  }
  flush();
  if (bytes.size() > buffer_bytes / 2) return hand_on(bytes);
  raw(bytes);
}

void Writer::token(const void* from, std::size_t size) {
  raw({static_cast<const std::byte*>(from), size});
}

void Writer::flush() {
  if (held_ == 0) return;
  const std::span<const std::byte> held(buffer_.get(), held_);
  held_ = 0;
  hand_on(held);
}

void Writer::hand_on(std::span<const std::byte> bytes) {
  if (options_.checksum) crc_ = crc64(crc_, bytes);
  handed_on_ += bytes.size();
  sink_(bytes);
}

}  // namespace sluice::rdb
