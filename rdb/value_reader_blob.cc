// ValueReader, part 5: strings that are inner encodings, and what their elements are by place.

#include <utility>

#include "rdb/value_reader_impl.h"

namespace sluice::rdb {
namespace {

std::string_view name_of(Part part) noexcept {
  switch (part) {
    case Part::ziplist:
    case Part::hash_ziplist:
    case Part::zset_ziplist: return "ziplist";
    case Part::intset: return "intset";
    case Part::hash_zipmap: return "zipmap";
    default: return "listpack";
  }
}

}  // namespace

InnerEncoding& ValueReader::Impl::begin_blob(Part part, std::uint64_t size) {
  switch (part) {
    case Part::ziplist:
    case Part::hash_ziplist:
    case Part::zset_ziplist: ziplist_.begin(size); return ziplist_;
    case Part::intset: intset_.begin(size, options_.strict); return intset_;
    case Part::hash_zipmap: zipmap_.begin(size); return zipmap_;
    default: listpack_.begin(size); return listpack_;
  }
}

Step ValueReader::Impl::blob(Part part, std::span<const std::byte> bytes, bool first, bool last) {
  std::size_t passed = 0;
  if (first) {
    encoding_ = &begin_blob(part, plain_bytes_);
    tuple_ = tuple_of(part);
    position_ = 0;
    if (part == Part::node) {
      stream_->node.begin(stream_->node_id, options_.texts.has(Role::entry_field), options_.strict);
    }
    passed = pass_sound(part, bytes);
    if (failed_) return Step::fail;
  }
  const Step fed = encoding_->feed(bytes.subspan(passed), *this);
  if (failed_) return Step::fail;
  if (fed == Step::fail) {
    return fail(Errc::bad_encoding, std::string(name_of(part)) + ": " + encoding_->problem());
  }
  if (!last) return Step::ok;
  if (!encoding_->complete()) {
    return fail(Errc::bad_encoding, std::string(name_of(part)) + ": it ends before its terminator");
  }
  return end_blob(part);
}

Step ValueReader::Impl::end_blob(Part part) {
  if (part == Part::node) {
    const bool ended = stream_->node.end(*this);
    stream_->live += stream_->node.live();
    return ended ? Step::ok : Step::fail;
  }
  if (position_ == 0) return Step::ok;
  return fail(Errc::bad_encoding,
              std::string(name_of(part)) + ": " + std::to_string(encoding_->items()) +
                  " elements, not a multiple of " + std::to_string(tuple_.size));
}

ValueReader::Impl::Tuple ValueReader::Impl::tuple_of(Part part) noexcept {
  using enum Slot;
  switch (part) {
    case Part::set_listpack: return {1, {member}};
    case Part::intset: return {1, {ascending_member}};
    case Part::hash_zipmap:
    case Part::hash_ziplist:
    case Part::hash_listpack: return {2, {field, value}};
    case Part::zset_ziplist:
    case Part::zset_listpack: return {2, {member, score}};
    case Part::hash_expiry_listpack: return {3, {field, value, expiry}};
    case Part::node: return {1, {node}};
    default: return {1, {element}};
  }
}

bool ValueReader::Impl::on_item(const Item& item) {
  const Slot slot = tuple_.slots[position_];
  if (item.last) position_ = static_cast<std::uint8_t>((position_ + 1) % tuple_.size);
  switch (slot) {
    case Slot::element: return item_text(Role::element, item);
    case Slot::member: return item_text(Role::member, item);
    case Slot::field: return item_text(Role::field, item);
    case Slot::value: return item_text(Role::value, item);
    case Slot::ascending_member:  // that none is there twice is known from their order
      if (options_.texts.has(Role::member) || !options_.strict) {
        return item_text(Role::member, item);
      }
      ++elements_;
      return true;
    case Slot::score: return item_score(item);
    case Slot::expiry: return item_expiry(item);
    case Slot::node: return stream_->node.on_item(item, *this);
  }
  std::unreachable();
}

bool ValueReader::Impl::item_text(Role role, const Item& item) {
  const bool needed = options_.texts.has(role) || (options_.strict && unique.has(role));
  if (!needed) return !item.last || end_text(role) == Step::ok;
  if (!item.is_integer) {
    return text(role,
                {.bytes = item.bytes, .size = item.size, .first = item.first, .last = item.last}) ==
           Step::ok;
  }
  std::array<std::byte, integer_text_bytes> room;
  const auto digits = integer_text(item.integer, room);
  return text(role, {.bytes = digits, .size = digits.size()}) == Step::ok;
}

/// Puts the parts of a number's text together. False when it is too long to be one.
bool ValueReader::Impl::gather(const Item& item) {
  if (item.first) number_text_.size = 0;
  if (item.size > number_text_.bytes.size()) {
    fail(Errc::bad_value, "a text of " + std::to_string(item.size) + " bytes in place of a number");
    return false;
  }
  number_text_.add(item.bytes);
  return true;
}

bool ValueReader::Impl::item_score(const Item& item) {
  auto score = static_cast<double>(item.integer);
  if (!item.is_integer) {
    if (!gather(item)) return false;
    if (!item.last) return true;
    const auto parsed = gathered_score();
    if (!parsed) {
      fail(Errc::bad_value, "a score that is not a number");
      return false;
    }
    score = *parsed;
  }
  if (options_.strict && last_score_ && score < *last_score_) {
    fail(Errc::bad_order, "a score below the one before it");
    return false;
  }
  last_score_ = score;
  return take_score(score) == Step::ok;
}

// Those that expire come first, the soonest in front.
bool ValueReader::Impl::item_expiry(const Item& item) {
  if (!item.is_integer || item.integer < 0 || std::cmp_greater(item.integer, expiry_max)) {
    fail(Errc::bad_value, "a field expiry that is none");
    return false;
  }
  const auto expiry = static_cast<std::uint64_t>(item.integer);
  if (options_.strict && last_expiry_) {
    const bool after_the_last = *last_expiry_ == 0 && expiry != 0;
    if (after_the_last || (expiry != 0 && expiry < *last_expiry_)) {
      fail(Errc::bad_order, "a field expiry below the one before it");
      return false;
    }
  }
  last_expiry_ = expiry;
  return expiry == 0 || number(Role::field_expiry, expiry) == Step::ok;
}

}  // namespace sluice::rdb
