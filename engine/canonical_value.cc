#include "engine/canonical_value.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/key_order.h"

namespace sluice::engine {
namespace {

using Bytes = std::span<const std::byte>;
using rdb::Op;
using rdb::Part;

/// Goes over the tokens of a value by their lengths. After one that is not whole, or in no form
/// that is known, ok() is false and it stands anywhere in the value.
class TokenWalk {
 public:
  explicit TokenWalk(Bytes value)
      : begin_(value.data()), at_(begin_), end_(begin_ + value.size()) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::uint64_t left() const noexcept {
    return static_cast<std::uint64_t>(end_ - at_);
  }
  [[nodiscard]] std::uint32_t at() const noexcept {
    return static_cast<std::uint32_t>(at_ - begin_);
  }

  void skip(std::uint64_t bytes) noexcept {
    ok_ = ok_ && bytes <= left();
    if (ok_) at_ += bytes;
  }
  std::uint64_t len() noexcept {
    if (at_ == end_) return fail();
    const auto first = std::to_integer<unsigned>(*at_);
    if (first < 0x40) return big_endian(1);
    if (first < 0x80) return big_endian(2) & 0x3FFF;
    if (first > 0x81) return fail();
    ++at_;
    return big_endian(first == 0x80 ? 4 : 8);
  }
  void string() noexcept {
    const unsigned first = at_ == end_ ? 0 : std::to_integer<unsigned>(*at_);
    if (first < 0xC0) return skip(len());
    if (first < 0xC3) return skip(1 + (1U << (first & 3)));
    if (first > 0xC3) return static_cast<void>(fail());
    ++at_;
    const std::uint64_t compressed = len();
    static_cast<void>(len());
    skip(compressed);
  }
  /// One token of an element.
  void token(Op op) noexcept {
    if (op == Op::str) return string();
    if (op == Op::len) return static_cast<void>(len());
    if (op == Op::fixed8) return skip(8);
    static_cast<void>(fail());
  }

 private:
  std::uint64_t fail() noexcept {
    ok_ = false;
    return 0;
  }
  std::uint64_t big_endian(std::size_t size) noexcept {
    if (!ok_ || size > left()) return fail();
    std::uint64_t value = 0;
    std::memcpy(&value, at_, size);
    at_ += size;
    return std::byteswap(value) >> (64 - 8 * size);
  }

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  bool ok_ = true;
};

/// The first bytes of a token, so that they compare as the bytes do. Tokens tell their own length:
/// none begins another, and where these are equal all bytes of a shorter one were.
std::uint64_t prefix_of(Bytes token) noexcept {
  std::uint64_t prefix = 0;
  std::memcpy(&prefix, token.data(), std::min(token.size(), sizeof prefix));
  return std::byteswap(prefix);
}

}  // namespace

bool CanonicalValue::applies_to(const rdb::ValueType& type) noexcept {
  if (type.logical != rdb::LogicalType::set && type.logical != rdb::LogicalType::hash) return false;
  return type.program.ops[0] == Op::count || type.program.ops[1] == Op::count;
}

bool CanonicalValue::is_before(const Element& left, const Element& right) const noexcept {
  if (left.prefix != right.prefix) return left.prefix < right.prefix;
  const auto token = [this](const Element& of) {
    return value_.subspan(of.token_at, of.token_bytes);
  };
  if (const auto order = compare_keys(token(left), token(right)); order != 0) return order < 0;
  // Twice the same member is damage, but damage that is to have one form too.
  return compare_keys(bytes(left), bytes(right)) < 0;
}

/// False when the elements cannot be told apart.
bool CanonicalValue::find_elements(const rdb::Program& program) {
  TokenWalk walk(value_);
  std::size_t body = 2;  // behind count and loop
  if (program.ops[0] == Op::fixed8) {
    walk.skip(8);
    ++body;
  }
  const std::uint64_t count = walk.len();
  if (!walk.ok() || count > walk.left()) return false;
  head_bytes_ = walk.at();
  is_sorted_ = true;
  for (std::uint64_t i = 0; i < count; ++i) {
    Element element{.at = walk.at()};
    for (std::size_t step = body; program.ops[step] != Op::next; ++step) {
      const std::uint32_t from = walk.at();
      walk.token(program.ops[step]);
      const Part part = program.parts[step];
      if (part != Part::member && part != Part::field) continue;
      element.token_at = from;
      element.token_bytes = walk.at() - from;
    }
    if (!walk.ok()) return false;
    element.bytes = walk.at() - element.at;
    element.prefix = prefix_of(value_.subspan(element.token_at, element.token_bytes));
    if (i > 0 && is_before(element, elements_.back())) is_sorted_ = false;
    elements_.push_back(element);
  }
  return walk.left() == 0;
}

bool CanonicalValue::canonicalise(const rdb::ValueType& type, Bytes value,
                                  std::vector<std::byte>& out) {
  if (!applies_to(type) || value.size() > value_bytes_max) return false;
  value_ = value;
  elements_.clear();
  if (!find_elements(type.program) || is_sorted_) return false;
  std::ranges::sort(elements_, [this](const Element& left, const Element& right) {
    return is_before(left, right);
  });
  const auto head = value.first(head_bytes_);
  out.assign(head.begin(), head.end());
  for (const Element& element : elements_) {
    const auto from = bytes(element);
    out.insert(out.end(), from.begin(), from.end());
  }
  return true;
}

}  // namespace sluice::engine
