// ValueReader, part 6: what is all there and sound, which most is, in tight loops. They stop before
// whatever else there is, a cut, an error, a rare form, and leave it to the step by step reading of
// the other parts, which knows what to say: no verdict is given here.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rdb/listpack_walk.h"
#include "rdb/lzf.h"
#include "rdb/value_reader_impl.h"

namespace sluice::rdb {
namespace {

/// DuplicateSet::hash(), for what is short in place.
[[gnu::flatten]] inline std::uint64_t hash_of(std::span<const std::byte> element,
                                              std::uint64_t seed) noexcept {
  if (element.size() > 16) return DuplicateSet::hash(element);
  return XXH3_64bits_withSeed(element.data(), element.size(), seed);
}

}  // namespace

// Goes on as far as tokens are common and all there, which most are. Whatever it leaves, a cut, an
// error, a rare op, is for run_op().
void ValueReader::Impl::run_whole_tokens() {
  if (!tokens_.idle() || in_string_ || sub_step_ != 0) return;
  while (true) {
    const Op op = run_.op();
    if (op == Op::str) {  // first, being the most common: a switch is a jump that is hard to guess
      StringHead head;
      if (!read_string_head(tokens_.at(), tokens_.end(), head)) return;
      if (!pass_raw_string(run_.part(), head) && !whole_string(run_.part(), head)) return;
      run_.next();
    } else if (op == Op::loop) {
      run_.enter_loop();
    } else if (op == Op::next && run_.part() != Part::group_done) {
      run_.end_round();
    } else if (op == Op::count || op == Op::len || op == Op::container) {
      if (!pass_len(op, run_.part())) return;
      run_.next();
    } else if (op == Op::fixed8 && tokens_.left() >= 8) {
      if (run_fixed8(run_.part()) != Step::ok) return;
      run_.next();
    } else {
      return;
    }
  }
}

// A value that is a string nobody wants, without setting anything up for it: its bytes, 0 when it
// is to be read step by step.
std::size_t ValueReader::Impl::pass_unwanted_string(std::span<const std::byte> bytes) const {
  if (options_.sizes || options_.texts.has(Role::string)) return 0;
  StringHead head;
  if (!read_string_head(bytes.data(), bytes.data() + bytes.size(), head)) return 0;
  const auto size = static_cast<std::size_t>(head.stored_bytes);
  if (head.form == StringForm::lzf) {
    const auto plain = lzf_measure(bytes.subspan(head.head_bytes, size));
    if (head.plain_bytes == 0 || plain != head.plain_bytes) return 0;
  }
  return head.head_bytes + size;
}

// False when it was refused, or is to be read step by step.
bool ValueReader::Impl::pass_len(Op op, Part part) {
  std::uint64_t value = 0;
  const std::byte* const after = read_len(tokens_.at(), tokens_.end(), value);
  if (after == nullptr || part == Part::groups) return false;
  if (op == Op::container && value != 1 && value != 2) return false;
  tokens_.advance(static_cast<std::size_t>(after - tokens_.at()));
  if (op == Op::len) return take_len(part, value) == Step::ok;
  if (op == Op::container) {
    packed_node_ = value == 2;
    return true;
  }
  run_.push_count(value);
  if (part == Part::elements) seen_.expect(std::min(value, tokens_.left()));
  return true;
}

// A string that nobody wants, or that nobody wants but to see that it was not there before. False
// when it is another one; nothing is taken then.
inline bool ValueReader::Impl::pass_raw_string(Part part, const StringHead& head) {
  if (head.form != StringForm::raw || options_.sizes) return false;
  const std::span<const std::byte> bytes(tokens_.at() + head.head_bytes,
                                         static_cast<std::size_t>(head.stored_bytes));
  Role role = Role::value;
  if (part == Part::member || part == Part::field) {
    role = part == Part::member ? Role::member : Role::field;
    if (options_.texts.has(role) || !is_new(bytes)) return false;
    ++elements_;
  } else if (part != Part::value || options_.texts.has(role)) {
    return false;
  }
  tokens_.advance(head.head_bytes);
  tokens_.move_to(bytes.data() + bytes.size());
  return role != Role::value || !expiry_ || end_text(role) == Step::ok;
}

/// Whether it may be there, as far as that is of interest.
inline bool ValueReader::Impl::is_new(std::span<const std::byte> element) {
  return !options_.strict || is_new(seen_, hash_of(element, hash_seed_));
}

// A string that is all here. False when it was refused, or is to be read step by step: because it
// is large, and because what is wrong with it must not depend on how it was cut.
bool ValueReader::Impl::whole_string(Part part, const StringHead& head) {
  const bool wanted = head.plain_bytes == 0 || wants(part);
  const std::span<const std::byte> stored(tokens_.at() + head.head_bytes,
                                          static_cast<std::size_t>(head.stored_bytes));
  std::span<const std::byte> bytes = stored;
  if (head.form == StringForm::lzf && !wanted) {
    if (lzf_measure(stored) != head.plain_bytes) return false;
  } else if (head.form == StringForm::lzf) {
    if (head.plain_bytes == 0 || head.plain_bytes > expanded_bytes) return false;
    const std::span<std::byte> expanded = room_to_expand().first(head.plain_bytes);
    if (!lzf_decompress(stored, expanded, lzf_room_after)) return false;
    bytes = expanded;
  } else if (head.plain_bytes == 0 && part == Part::quicklist_node) {
    return false;
  }
  tokens_.advance(head.head_bytes);
  tokens_.move_to(stored.data() + stored.size());
  plain_bytes_ = head.plain_bytes;
  if (options_.sizes && tell_size(part, head.form, stored) != Step::ok) return false;
  if (!wanted) return end_text(role_of(part)) == Step::ok;
  string_first_ = true;
  if (head.form != StringForm::integer) return plain(part, bytes, true, true) == Step::ok;
  std::array<std::byte, integer_text_bytes> room;
  bytes = integer_text(stored_integer(stored), room);
  plain_bytes_ = bytes.size();
  return plain(part, bytes, true, true) == Step::ok;
}

// The elements at the beginning of an inner encoding that are all there and sound; how many bytes
// that is. Unless failed_, the rest is to be fed to the encoding.
std::size_t ValueReader::Impl::pass_sound(Part part, std::span<const std::byte> bytes) {
  if (encoding_ == &intset_ && !options_.texts.has(Role::member)) {
    const std::size_t passed = intset_.pass_sound(bytes);
    elements_ += intset_.items();
    return passed;
  }
  if (encoding_ != &listpack_) return 0;
  const std::span<const std::byte> elements = listpack_.open(bytes);
  if (elements.empty()) return 0;
  ListpackWalk walk(elements);
  const std::uint64_t items = pass_elements(part, walk);
  const auto passed = static_cast<std::size_t>(walk.at() - elements.data());
  listpack_.pass_over(passed, items);
  return bytes.size() - elements.size() + passed;
}

std::uint64_t ValueReader::Impl::pass_elements(Part part, ListpackWalk& walk) {
  switch (part) {
    case Part::quicklist_node:
      return options_.texts.has(Role::element) ? pass_items(walk) : pass_unwanted(walk);
    case Part::hash_listpack:
      if (options_.texts.has(Role::field) || options_.texts.has(Role::value)) break;
      return pass_pairs(walk, [](const ListpackWalk::Element&) { return true; });
    case Part::zset_listpack:
      if (options_.texts.has(Role::member)) break;
      return pass_pairs(
          walk, [this](const ListpackWalk::Element& score) { return item_score(score.item()); });
    case Part::node:
      if (options_.texts.has(Role::entry_field) || options_.texts.has(Role::entry_value)) break;
      return stream_->node.pass_sound(walk, *this);
    default: break;
  }
  return pass_items(walk);
}

std::uint64_t ValueReader::Impl::pass_unwanted(ListpackWalk& walk) {
  ListpackWalk::Element element;
  std::uint64_t items = 0;
  while (walk.next(element)) ++items;
  elements_ += items;
  return items;
}

// Fields or members, which must be new, each with what belongs to it.
template <class Second>
std::uint64_t ValueReader::Impl::pass_pairs(ListpackWalk& walk, Second second) {
  seen_.expect(listpack_.count() / 2);
  std::array<std::byte, integer_text_bytes> room;
  ListpackWalk::Element element;
  std::uint64_t items = 0;
  while (true) {
    const std::byte* const before = walk.at();
    if (!walk.next(element)) break;
    const auto text =
        element.is_integer() ? integer_text(element.integer(), room) : element.bytes();
    if (!is_new(text)) {
      walk.back_to(before);
      break;
    }
    ++elements_;
    ++items;
    position_ = 1;
    if (!walk.next(element)) break;
    ++items;
    position_ = 0;
    if (!second(element)) break;
  }
  return items;
}

std::uint64_t ValueReader::Impl::pass_items(ListpackWalk& walk) {
  seen_.expect(listpack_.count() / tuple_.size);
  ListpackWalk::Element element;
  std::uint64_t items = 0;
  while (!failed_ && walk.next(element)) {
    ++items;
    (void)on_item(element.item());  // on a refusal failed_ is set
  }
  return items;
}

}  // namespace sluice::rdb
