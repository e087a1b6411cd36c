#include "rdb/stream_node.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace sluice::rdb {
namespace {

constexpr std::int64_t flag_deleted = 1;
constexpr std::int64_t flag_same_fields = 2;

/// The number that `digits` are the text of, as integer_text() writes it.
std::optional<std::int64_t> number_of(std::span<const std::byte> digits) noexcept {
  const auto* const begin = reinterpret_cast<const char*>(digits.data());
  std::int64_t number = 0;
  if (std::from_chars(begin, begin + digits.size(), number).ec != std::errc()) return std::nullopt;
  std::array<std::byte, integer_text_bytes> room;
  if (!std::ranges::equal(integer_text(number, room), digits)) return std::nullopt;
  return number;
}

}  // namespace

void StreamNode::begin(StreamId master, bool wants_fields, bool strict) {
  state_ = State::live_count;
  wants_fields_ = wants_fields;
  strict_ = strict;
  master_ = master;
  live_ = deleted_ = 0;
  empty_names();
}

void StreamNode::empty_names() {
  constexpr std::size_t keep_max = 4096;
  name_bytes_.clear();
  name_ends_.clear();
  if (name_bytes_.capacity() > keep_max) name_bytes_.shrink_to_fit();
  if (name_ends_.capacity() > keep_max / sizeof(std::size_t)) name_ends_.shrink_to_fit();
}

bool StreamNode::on_item(const Item& item, StreamNodeSink& sink) {
  if (state_ == State::name) return keep_name(item, sink);
  if (state_ == State::field || state_ == State::value) return pass_text(item, sink);
  if (item.is_integer) return take_number(item.integer, sink);
  return take_number_text(item, sink);
}

std::uint64_t StreamNode::pass_sound(ListpackWalk& walk, StreamNodeSink& sink) {
  ListpackWalk::Element element;
  std::uint64_t items = 0;
  while (true) {
    const std::byte* const before = walk.at();
    if (state_ == State::flags) {
      if (const std::uint64_t in_entry = read_entry(walk); in_entry > 0) {
        items += in_entry;
        ++(is_deleted_ ? deleted_ : live_);
        if (!is_deleted_ && !sink.on_entry(id_)) return items;
        continue;
      }
      walk.back_to(before);
    }
    if (!walk.next(element)) return items;
    ++items;
    if (!on_item(element.item(), sink)) return items;
  }
}

std::uint64_t StreamNode::read_entry(ListpackWalk& walk) noexcept {
  std::array<ListpackWalk::Element, 3> head;  // flags, id
  for (auto& element : head) {
    if (!walk.next(element) || !element.is_integer()) return 0;
  }
  is_deleted_ = (head[0].integer() & flag_deleted) != 0;
  same_fields_ = (head[0].integer() & flag_same_fields) != 0;
  id_ = {.ms = master_.ms + head[1].bits, .seq = master_.seq + head[2].bits};
  ListpackWalk::Element element{.text = nullptr, .bits = names_};
  if (!same_fields_ && !(walk.next(element) && element.is_integer())) return 0;
  if (element.integer() < 0) return 0;
  const std::uint64_t items = same_fields_ ? 3 + element.bits : 4 + 2 * element.bits;
  for (std::uint64_t left = same_fields_ ? element.bits : 2 * element.bits; left > 0; --left) {
    ListpackWalk::Element text;
    if (!walk.next(text)) return 0;
  }
  if (!walk.next(element) || !element.is_integer() || element.bits != items) return 0;
  return items + 1;
}

// Servers write integers as such; their readers take the text of one too.
bool StreamNode::take_number_text(const Item& item, StreamNodeSink& sink) {
  if (item.first) digits_size_ = 0;
  if (item.size <= digits_.size()) {
    std::ranges::copy(item.bytes, digits_.begin() + static_cast<std::ptrdiff_t>(digits_size_));
    digits_size_ += item.bytes.size();
    if (!item.last) return true;
    const auto number = number_of(std::span(digits_).first(digits_size_));
    if (number) return take_number(*number, sink);
  }
  return sink.on_node_problem("a text where a number is expected");
}

bool StreamNode::take_number(std::int64_t number, StreamNodeSink& sink) {
  switch (state_) {
    case State::live_count:
      if (number < 0) return refuse_count(number, sink);
      live_said_ = static_cast<std::uint64_t>(number);
      state_ = State::deleted_count;
      return true;
    case State::deleted_count:
      if (number < 0) return refuse_count(number, sink);
      deleted_said_ = static_cast<std::uint64_t>(number);
      state_ = State::field_count;
      return true;
    case State::field_count:
      if (number < 0) return refuse_count(number, sink);
      names_ = names_left_ = static_cast<std::uint64_t>(number);
      state_ = names_ > 0 ? State::name : State::zero;
      return true;
    case State::zero:
      if (number != 0) return sink.on_node_problem("its master entry does not end with 0");
      state_ = State::flags;
      return true;
    case State::flags:
      is_deleted_ = (number & flag_deleted) != 0;
      same_fields_ = (number & flag_same_fields) != 0;
      state_ = State::ms;
      return true;
    case State::ms:
      id_.ms = master_.ms + static_cast<std::uint64_t>(number);
      state_ = State::seq;
      return true;
    case State::seq:
      id_.seq = master_.seq + static_cast<std::uint64_t>(number);
      return begin_entry(sink);
    case State::pair_count:
      if (number < 0) return refuse_count(number, sink);
      pairs_ = pairs_left_ = static_cast<std::uint64_t>(number);
      state_ = pairs_ > 0 ? State::field : State::item_count;
      return true;
    case State::item_count: return end_entry(number, sink);
    case State::name:
    case State::field:
    case State::value: break;
  }
  std::unreachable();
}

bool StreamNode::refuse_count(std::int64_t number, StreamNodeSink& sink) {
  return sink.on_node_problem("a count of " + std::to_string(number));
}

bool StreamNode::keep_name(const Item& item, StreamNodeSink& sink) {
  if (wants_fields_) {
    std::array<std::byte, integer_text_bytes> room;
    auto text = item.bytes;
    if (item.is_integer) text = integer_text(item.integer, room);
    const std::uint64_t held = name_bytes_.size() + name_ends_.size() * sizeof(std::size_t);
    if (item.first && (held >= names_bytes_max || item.size > names_bytes_max - held)) {
      return sink.on_node_problem("shared field names above " + std::to_string(names_bytes_max) +
                                  " bytes");
    }
    name_bytes_.insert(name_bytes_.end(), text.begin(), text.end());
    if (item.last) name_ends_.push_back(name_bytes_.size());
  }
  if (item.last && --names_left_ == 0) state_ = State::zero;
  return true;
}

bool StreamNode::begin_entry(StreamNodeSink& sink) {
  ++(is_deleted_ ? deleted_ : live_);
  state_ = State::pair_count;
  if (same_fields_) {
    pairs_ = pairs_left_ = names_;
    state_ = names_ > 0 ? State::value : State::item_count;
  }
  return is_deleted_ || sink.on_entry(id_);
}

bool StreamNode::pass_text(const Item& item, StreamNodeSink& sink) {
  const bool is_value = state_ == State::value;
  if (!is_deleted_) {
    if (is_value && same_fields_ && item.first && wants_fields_) {
      const std::size_t index = names_ - pairs_left_;
      const std::size_t begin = index == 0 ? 0 : name_ends_[index - 1];
      const std::span<const std::byte> name(name_bytes_.data() + begin, name_ends_[index] - begin);
      if (!sink.on_entry_item(Role::entry_field, {.bytes = name, .size = name.size()})) {
        return false;
      }
    }
    if (!sink.on_entry_item(is_value ? Role::entry_value : Role::entry_field, item)) return false;
  }
  if (item.last) next_pair();
  return true;
}

void StreamNode::next_pair() noexcept {
  if (state_ == State::field) {
    state_ = State::value;
    return;
  }
  --pairs_left_;
  state_ = same_fields_ ? State::value : State::field;
  if (pairs_left_ == 0) state_ = State::item_count;
}

bool StreamNode::end_entry(std::int64_t items, StreamNodeSink& sink) {
  const std::uint64_t expected = same_fields_ ? 3 + pairs_ : 4 + 2 * pairs_;
  if (std::cmp_not_equal(items, expected)) {
    return sink.on_node_problem("an entry of " + std::to_string(expected) + " elements that says " +
                                std::to_string(items));
  }
  state_ = State::flags;
  return true;
}

bool StreamNode::end(StreamNodeSink& sink) {
  if (state_ != State::flags) return sink.on_node_problem("it ends inside an entry");
  if (strict_ && (live_ != live_said_ || deleted_ != deleted_said_)) {
    return sink.on_node_problem("it says " + std::to_string(live_said_) + " live and " +
                                std::to_string(deleted_said_) + " deleted entries, there are " +
                                std::to_string(live_) + " and " + std::to_string(deleted_));
  }
  return true;
}

}  // namespace sluice::rdb
