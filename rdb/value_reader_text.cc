// ValueReader, part 2: strings. Those that are inner encodings are taken apart in
// value_reader_blob.cc.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <utility>

#include "rdb/lzf.h"
#include "rdb/value_reader_impl.h"

namespace sluice::rdb {
struct ValueReader::Impl::HashState {
  XXH3_state_t state;
};

ValueReader::Impl::Impl(ValueHandler& handler, ReadOptions options)
    : handler_(handler),
      options_(options),
      hash_seed_(DuplicateSet::seed()),
      hash_state_(nullptr, [](HashState* state) { delete state; }) {}

Step ValueReader::Impl::run_string(Part part) {
  if (!in_string_) {
    if (const Step taken = tokens_.take_string_head(); taken != Step::ok) return taken;
    if (const Step begun = begin_string(part); begun != Step::ok) return begun;
  }
  const Step read = read_string(part);
  if (read != Step::ok) return read;
  tokens_.string_taken();
  in_string_ = false;
  return Step::ok;
}

Step ValueReader::Impl::tell_size(Part part, StringForm form, std::span<const std::byte> stored) {
  std::uint64_t bytes = plain_bytes_;
  const bool is_integer = form == StringForm::integer;
  if (is_integer) {
    std::array<std::byte, integer_text_bytes> room;
    bytes = integer_text(stored_integer(stored), room).size();
  }
  return told(handler_.on_string({.part = part, .bytes = bytes, .is_integer = is_integer}));
}

Step ValueReader::Impl::begin_string(Part part) {
  in_string_ = true;
  string_first_ = true;
  streaming_ = false;
  string_left_ = tokens_.stored_bytes();
  plain_bytes_ = tokens_.plain_bytes();
  tokens_.set_token_offset(tokens_.string_offset());  // that errors in it name, as when it is whole
  measuring_ = tokens_.form() == StringForm::lzf && plain_bytes_ > 0 && !wants(part);
  if (measuring_) lzf_measure_.begin(string_left_, plain_bytes_);
  if (options_.strict && part == Part::quicklist_node && !packed_node_ && plain_bytes_ == 0) {
    return fail(Errc::bad_value, "a quicklist node without data");
  }
  const bool size_known = tokens_.form() != StringForm::integer;
  return options_.sizes && size_known ? tell_size(part, tokens_.form(), {}) : Step::ok;
}

Step ValueReader::Impl::read_string(Part part) {
  switch (tokens_.form()) {
    case StringForm::raw: return read_raw(part);
    case StringForm::lzf: return measuring_ ? measure_lzf(part) : read_lzf(part);
    case StringForm::integer: break;
  }
  std::span<const std::byte> stored;
  if (const Step taken = tokens_.take_bytes(string_left_, stored); taken != Step::ok) return taken;
  tokens_.set_token_offset(tokens_.string_offset());
  if (options_.sizes) {
    const Step told = tell_size(part, StringForm::integer, stored);
    if (told != Step::ok) return told;
  }
  std::array<std::byte, integer_text_bytes> room;
  const auto digits = integer_text(stored_integer(stored), room);
  plain_bytes_ = digits.size();
  return plain(part, digits, true, true);
}

Step ValueReader::Impl::read_raw(Part part) {
  const std::span<const std::byte> bytes = tokens_.take_part(string_left_);
  if (bytes.empty() && string_left_ > 0) return Step::more;
  const Step given = plain(part, bytes, string_first_, string_left_ == 0);
  if (given != Step::ok) return given;
  string_first_ = false;
  return string_left_ == 0 ? Step::ok : Step::more;
}

Step ValueReader::Impl::read_lzf(Part part) {
  std::span<const std::byte> stored = tokens_.take_part(string_left_);
  if (!streaming_ && string_left_ == 0 && plain_bytes_ <= expanded_bytes) {
    const std::span<std::byte> expanded = room_to_expand().first(plain_bytes_);
    if (lzf_decompress(stored, expanded, lzf_room_after)) return plain(part, expanded, true, true);
    // As when it comes in parts, what precedes the malformed element is judged first.
  }
  if (!streaming_) lzf_.begin(tokens_.stored_bytes(), plain_bytes_);
  streaming_ = true;
  while (true) {
    const std::span<const std::byte> bytes = lzf_.next(stored);
    if (!bytes.empty() || lzf_.done()) {
      const Step given = plain(part, bytes, string_first_, lzf_.done());
      if (given != Step::ok) return given;
      string_first_ = false;
    }
    if (lzf_.malformed()) return fail_lzf();
    if (lzf_.done()) return Step::ok;
    if (stored.empty()) return Step::more;
  }
}

std::span<std::byte> ValueReader::Impl::room_to_expand() {
  if (!expanded_) {
    expanded_ = std::make_unique_for_overwrite<std::byte[]>(expanded_bytes + lzf_room_after);
  }
  return {expanded_.get(), expanded_bytes};
}

Step ValueReader::Impl::fail_lzf() {
  return fail(Errc::bad_string,
              "LZF data does not expand to " + std::to_string(plain_bytes_) + " bytes");
}

// Nobody wants to see it: whether it expands to what it says is known without expanding it.
Step ValueReader::Impl::measure_lzf(Part part) {
  std::span<const std::byte> stored = tokens_.take_part(string_left_);
  if (!lzf_measure_.feed(stored)) return fail_lzf();
  return lzf_measure_.done() ? end_text(role_of(part)) : Step::more;
}

/// Whether the plain bytes of a string are needed at all.
bool ValueReader::Impl::wants(Part part) const noexcept {
  switch (part) {
    case Part::string:
    case Part::element:
    case Part::value:
    case Part::item:
    case Part::array_text:
    case Part::module_text: return options_.texts.has(role_of(part));
    case Part::quicklist_node: return packed_node_ || options_.texts.has(Role::element);
    default: return true;  // to look for duplicates, or to be taken apart
  }
}

Role ValueReader::Impl::role_of(Part part) noexcept {
  switch (part) {
    case Part::string: return Role::string;
    case Part::member: return Role::member;
    case Part::field: return Role::field;
    case Part::value: return Role::value;
    case Part::group: return Role::group;
    case Part::consumer: return Role::consumer;
    case Part::producer: return Role::producer;
    case Part::item: return Role::producer_item;
    case Part::array_text: return Role::array_text;
    case Part::module_text: return Role::module_text;
    default: return Role::element;
  }
}

Step ValueReader::Impl::plain(Part part, std::span<const std::byte> bytes, bool first, bool last) {
  switch (part) {
    case Part::quicklist_node:
      if (packed_node_) return blob(part, bytes, first, last);
      [[fallthrough]];
    case Part::string:
    case Part::element:
    case Part::member:
    case Part::field:
    case Part::value:
    case Part::group:
    case Part::consumer:
    case Part::producer:
    case Part::item:
    case Part::array_text:
    case Part::module_text:
      return text(role_of(part),
                  {.bytes = bytes, .size = plain_bytes_, .first = first, .last = last});
    case Part::node_id: return node_id(bytes, last);
    default: return blob(part, bytes, first, last);
  }
}

Step ValueReader::Impl::text(Role role, const Text& text) {
  if (options_.strict && unique.has(role)) {
    if (const Step checked = check_unique(role, text); checked != Step::ok) return checked;
  }
  if (options_.texts.has(role) && !handler_.on_text(role, text)) return fail(Errc::stopped, {});
  return text.last ? end_text(role) : Step::ok;
}

Step ValueReader::Impl::end_text(Role role) {
  if (role == Role::element || role == Role::member || role == Role::field) ++elements_;
  if (role == Role::value && expiry_) return number(Role::field_expiry, *expiry_);
  return Step::ok;
}

Step ValueReader::Impl::check_unique(Role role, const Text& text) {
  if (counted_out_) return Step::ok;
  DuplicateSet* set = &seen_;
  if (role == Role::group) set = &stream_->groups;
  if (role == Role::consumer) set = &stream_->consumers;
  if (role == Role::producer) set = &stream_->producers;
  std::uint64_t hash = 0;
  if (text.first && text.last) {
    hash = DuplicateSet::hash(text.bytes);
  } else {
    if (!hash_state_) hash_state_.reset(new HashState);
    if (text.first) XXH3_64bits_reset_withSeed(&hash_state_->state, DuplicateSet::seed());
    XXH3_64bits_update(&hash_state_->state, text.bytes.data(), text.bytes.size());
    if (!text.last) return Step::ok;
    hash = XXH3_64bits_digest(&hash_state_->state);
  }
  if (is_new(*set, hash)) return Step::ok;
  std::string_view what = "field";
  if (role == Role::member) what = "member";
  if (role == Role::group) what = "consumer group";
  if (role == Role::consumer) what = "consumer";
  if (role == Role::producer) what = "producer";
  return fail(Errc::duplicate_element,
              std::string(what) + " number " + std::to_string(set->size()) + " was there before");
}

}  // namespace sluice::rdb
