#include "rdb/field_expiry_editor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "rdb/listpack_walk.h"
#include "rdb/lzf.h"
#include "rdb/lzf_compressor.h"
#include "rdb/token_reader.h"
#include "rdb/writer.h"

namespace sluice::rdb {
namespace {

constexpr std::size_t fixed_bytes = 8;
constexpr std::size_t listpack_header_bytes = 6;
constexpr std::uint8_t listpack_int64 = 0xF4;

/// Bytes of a LEN by its first; 0 when it is none.
std::size_t len_bytes(std::uint8_t first) noexcept {
  if (first < 0x40) return 1;
  if (first < 0x80) return 2;
  if (first == 0x80) return 5;
  return first == 0x81 ? 9 : 0;
}

std::uint64_t len_value(std::span<const std::byte> token) noexcept {
  std::uint64_t value = token.size() <= 2 ? std::to_integer<std::uint64_t>(token[0]) & 0x3F : 0;
  for (const std::byte byte : token.subspan(1))
    value = value << 8 | std::to_integer<unsigned>(byte);
  return value;
}

/// `value` as a LEN of the same form. Precondition: it fits.
std::array<std::byte, 9> len_like(std::span<const std::byte> token, std::uint64_t value) noexcept {
  std::array<std::byte, 9> text{};
  for (std::size_t i = token.size(); i > 1; --i, value >>= 8)
    text[i - 1] = static_cast<std::byte>(value & 0xFF);
  const auto first = std::to_integer<unsigned>(token[0]);
  text[0] = static_cast<std::byte>(token.size() <= 2 ? (first & 0xC0) | (value & 0x3F) : first);
  return text;
}

std::array<std::byte, fixed_bytes> fixed_of(std::int64_t value) noexcept {
  return std::bit_cast<std::array<std::byte, fixed_bytes>>(value);
}

std::int64_t fixed_value(std::span<const std::byte> token) noexcept {
  return static_cast<std::int64_t>(little_endian(token.data(), fixed_bytes));
}

/// A STR of a value that is whole.
struct WholeString {
  StringHead head;
  std::span<const std::byte> stored;
};

std::optional<WholeString> read_string(std::span<const std::byte> bytes) {
  // read_string_head() wants room behind short lengths; a listpack is longer than that.
  WholeString string;
  const std::byte* const end = bytes.data() + bytes.size();
  if (!read_string_head(bytes.data(), end, string.head)) return std::nullopt;
  string.stored = bytes.subspan(string.head.head_bytes);
  if (string.stored.size() != string.head.stored_bytes) return std::nullopt;
  return string;
}

/// Field, value, expiry in turn. False when that is not so.
bool edit_elements(std::span<std::byte> listpack, const ExpiryChange& change) {
  if (listpack.size() <= listpack_header_bytes) return false;
  ListpackWalk walk(listpack.subspan(listpack_header_bytes));
  ListpackWalk::Element element;
  for (unsigned number = 0;; ++number) {
    const std::size_t at = static_cast<std::size_t>(walk.at() - listpack.data());
    if (!walk.next(element)) return at + 1 == listpack.size() && number % 3 == 0;
    if (number % 3 != 2) continue;
    if (!element.is_integer()) return false;
    // What takes less than 64 bits is none, or long past.
    if (std::to_integer<std::uint8_t>(listpack[at]) != listpack_int64) continue;
    if (element.integer() == 0) continue;
    std::ranges::copy(fixed_of(change.of(element.integer()).value_or(0)),
                      listpack.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

void put_len(std::vector<std::byte>& out, std::uint64_t value) {
  if (value < 0x40) {
    out.push_back(static_cast<std::byte>(value));
  } else if (value < 0x4000) {
    out.push_back(static_cast<std::byte>(0x40 | value >> 8));
    out.push_back(static_cast<std::byte>(value & 0xFF));
  } else {
    out.push_back(std::byte{0x80});
    for (int shift = 24; shift >= 0; shift -= 8)
      out.push_back(static_cast<std::byte>(value >> shift & 0xFF));
  }
}

/// Compressed where that saves something, as servers do.
void put_string(std::vector<std::byte>& out, std::span<const std::byte> plain) {
  std::vector<std::byte> room(plain.size() > 4 ? plain.size() - 4 : 0);
  const std::size_t size = LzfCompressor().compress(plain, room);
  if (size > 0) {
    out.push_back(std::byte{0xC3});
    put_len(out, size);
    put_len(out, plain.size());
    out.insert(out.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(size));
    return;
  }
  put_len(out, plain.size());
  out.insert(out.end(), plain.begin(), plain.end());
}

}  // namespace

std::int64_t add_times(std::int64_t at_ms, std::int64_t by_ms) noexcept {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(at_ms, by_ms, &sum)) return sum;
  return by_ms > 0 ? std::numeric_limits<std::int64_t>::max()
                   : std::numeric_limits<std::int64_t>::min();
}

std::optional<std::int64_t> ExpiryChange::of(std::int64_t at_ms) const noexcept {
  if (kind == Kind::shift) return std::max<std::int64_t>(1, add_times(at_ms, by_ms));
  return at_ms <= snapshot_ms ? std::optional(at_ms) : std::nullopt;
}

bool FieldExpiryEditor::concerns(const ValueType& type) noexcept {
  return type.logical == LogicalType::hash && type.number >= 22;
}

bool FieldExpiryEditor::is_listpack(const ValueType& type) noexcept {
  return std::ranges::find(type.program.parts, Part::hash_expiry_listpack) !=
         type.program.parts.end();
}

void FieldExpiryEditor::begin(const ValueType& type, const ExpiryChange& change) {
  change_ = change;
  cursor_.restart(0);
  run_.begin(type.program);
  min_expiry_ = 0;
  string_state_ = StringState::head;
  problem_.clear();
}

auto FieldExpiryEditor::feed(std::span<const std::byte> part)
    -> Result<std::span<const std::byte>> {
  out_.clear();
  cursor_.open(part);
  Step stepped = Step::ok;
  while (stepped == Step::ok && run_.op() != Op::end) stepped = step();
  const std::size_t left = cursor_.left();
  cursor_.close();
  if (stepped == Step::fail) return std::unexpected(problem_);
  if (left > 0) return std::unexpected("bytes after its end");
  return out_;
}

Step FieldExpiryEditor::step() {
  Step done = Step::ok;
  switch (run_.op()) {
    case Op::loop: run_.enter_loop(); return Step::ok;
    case Op::next: run_.end_round(); return Step::ok;
    case Op::count: {
      std::uint64_t count = 0;
      done = take_len(count);
      if (done == Step::ok) run_.push_count(count);
      break;
    }
    case Op::len: done = edit_len(run_.part()); break;
    case Op::fixed8: done = edit_fixed(run_.part()); break;
    case Op::str: done = pass_string(); break;
    case Op::end:
    case Op::fixed4:
    case Op::fixed16:
    case Op::ascii_double:
    case Op::container:
    case Op::flagged_len:
    case Op::array_value:
    case Op::module_items: std::unreachable();  // no hash has them
  }
  if (done == Step::ok) run_.next();
  return done;
}

/// Passes a LEN on as it stands.
Step FieldExpiryEditor::take_len(std::uint64_t& value) {
  std::uint8_t first = 0;
  if (cursor_.peek(first) == Step::more) return Step::more;
  const std::size_t size = len_bytes(first);
  if (size == 0) {
    problem_ = "no length where one must be";
    return Step::fail;
  }
  std::span<const std::byte> token;
  if (cursor_.take_bytes(size, token) == Step::more) return Step::more;
  value = len_value(token);
  put(token);
  return Step::ok;
}

Step FieldExpiryEditor::edit_len(Part part) {
  std::uint64_t value = 0;
  const std::size_t before = out_.size();
  if (const Step taken = take_len(value); taken != Step::ok || value == 0) return taken;
  const bool is_relative = part == Part::relative_expiry;
  // The ones that count from the least are moved by moving that.
  if (is_relative && change_.kind == ExpiryChange::Kind::shift) return Step::ok;
  const std::int64_t number = static_cast<std::int64_t>(value);
  const auto changed = change_.of(is_relative ? add_times(min_expiry_, number - 1) : number);
  if (is_relative && changed) return Step::ok;
  const std::span<std::byte> token = std::span(out_).subspan(before);
  const auto fresh = static_cast<std::uint64_t>(changed.value_or(0));
  if (len_value(len_like(token, fresh)) != fresh && token.size() < 9) return Step::ok;  // long past
  const auto edited = len_like(token, fresh);
  std::ranges::copy(std::span(edited).first(token.size()), token.begin());
  return Step::ok;
}

Step FieldExpiryEditor::edit_fixed(Part part) {
  std::span<const std::byte> token;
  if (cursor_.take_bytes(fixed_bytes, token) == Step::more) return Step::more;
  const std::int64_t at_ms = fixed_value(token);
  const bool is_least = part == Part::min_expiry;
  if (is_least) min_expiry_ = at_ms;
  const bool stays = is_least ? at_ms == 0 || change_.kind == ExpiryChange::Kind::drop : at_ms < 0;
  put(fixed_of(stays ? at_ms : change_.of(at_ms).value_or(-1)));
  return Step::ok;
}

Step FieldExpiryEditor::pass_string_head() {
  std::uint8_t first = 0;
  if (cursor_.peek(first) == Step::more) return Step::more;
  if (first < 0xC0) {
    string_state_ = StringState::payload;
    const Step taken = take_len(string_left_);
    if (taken == Step::more) string_state_ = StringState::head;
    return taken;
  }
  if (first > 0xC3) {
    problem_ = "no string where one must be";
    return Step::fail;
  }
  static_cast<void>(cursor_.take_byte(first));
  out_.push_back(static_cast<std::byte>(first));
  string_left_ = std::uint64_t{1} << (first & 3);
  string_state_ = first == 0xC3 ? StringState::lzf_stored : StringState::payload;
  return Step::ok;
}

Step FieldExpiryEditor::pass_string() {
  if (string_state_ == StringState::head) {
    if (const Step taken = pass_string_head(); taken != Step::ok) return taken;
  }
  if (string_state_ == StringState::lzf_stored) {
    if (const Step taken = take_len(string_left_); taken != Step::ok) return taken;
    string_state_ = StringState::lzf_plain;
  }
  if (string_state_ == StringState::lzf_plain) {
    std::uint64_t plain = 0;
    if (const Step taken = take_len(plain); taken != Step::ok) return taken;
    string_state_ = StringState::payload;
  }
  put(cursor_.take_part(string_left_));
  if (string_left_ > 0) return Step::more;
  string_state_ = StringState::head;
  return Step::ok;
}

auto FieldExpiryEditor::edit_listpack(const ValueType& type, const ExpiryChange& change,
                                      std::span<const std::byte> value,
                                      std::uint64_t plain_bytes_max)
    -> Result<std::vector<std::byte>> {
  std::vector<std::byte> out;
  if (type.program.parts[0] == Part::min_expiry) {
    if (value.size() < fixed_bytes) return std::unexpected("it is cut");
    std::int64_t least = fixed_value(value);
    if (change.kind == ExpiryChange::Kind::shift && least != 0) least = *change.of(least);
    std::ranges::copy(fixed_of(least), std::back_inserter(out));
    value = value.subspan(fixed_bytes);
  }
  const auto string = read_string(value);
  if (!string) return std::unexpected("no string where its listpack must be");
  if (string->head.plain_bytes > plain_bytes_max)
    return std::unexpected("its listpack is too long");
  std::vector<std::byte> plain(string->stored.begin(), string->stored.end());
  const bool is_compressed = string->head.form == StringForm::lzf;
  if (is_compressed) {
    plain.resize(static_cast<std::size_t>(string->head.plain_bytes));
    if (!lzf_decompress(string->stored, plain)) return std::unexpected("its LZF is malformed");
  }
  if (!edit_elements(plain, change)) return std::unexpected("its listpack is malformed");
  if (is_compressed) {
    put_string(out, plain);
    return out;
  }
  const auto head = value.first(string->head.head_bytes);
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), plain.begin(), plain.end());
  return out;
}

}  // namespace sluice::rdb
