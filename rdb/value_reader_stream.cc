// ValueReader, part 3: what makes up a stream, and whether its parts agree.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "rdb/value_reader_impl.h"

namespace sluice::rdb {
namespace {

std::string to_text(StreamId id) { return std::to_string(id.ms) + '-' + std::to_string(id.seq); }

}  // namespace

void IdSum::add(StreamId id) noexcept {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(&id, sizeof id, DuplicateSet::seed());
  low_ += hash.low64;
  high_ += hash.high64;
  ++count_;
}

void StreamState::begin() {
  last_node_id.reset();
  first_entry.reset();
  last_entry.reset();
  live = 0;
  length = entries_added = 0;
  last_id = first_id = max_deleted_id = {};
  groups.clear();
  consumers.clear();
  producers.clear();
  last_pending.reset();
  pending.clear();
  owned.clear();
}

std::int64_t StreamState::entries_read(StreamId id) const noexcept {
  if (entries_added == 0) return 0;
  if (id == last_id) return static_cast<std::int64_t>(entries_added);
  if (id > last_id) return -1;
  if (max_deleted_id == StreamId{} || max_deleted_id < first_id) {
    const std::uint64_t before_first = entries_added - length;
    if (id < first_id) return static_cast<std::int64_t>(before_first);
    if (id == first_id) return static_cast<std::int64_t>(before_first + 1);
  }
  return -1;
}

Step ValueReader::Impl::node_id(std::span<const std::byte> bytes, bool last) {
  if (plain_bytes_ != 16) {
    return fail(Errc::bad_stream, "a node id of " + std::to_string(plain_bytes_) + " bytes");
  }
  if (string_first_) number_text_.size = 0;
  number_text_.add(bytes);
  if (!last) return Step::ok;
  stream_->node_id = stream_id_of(std::as_bytes(std::span(number_text_.bytes)));
  auto& before = stream_->last_node_id;
  const auto greatest = std::max(before, stream_->last_entry);
  if (options_.strict && greatest && stream_->node_id <= *greatest) {
    return fail(Errc::bad_order,
                "node " + to_text(stream_->node_id) + " after " + to_text(*greatest));
  }
  before = stream_->node_id;
  return Step::ok;
}

// Deleted entries may be greater than live ones after them: XSETID goes back over them.
bool ValueReader::Impl::on_entry(StreamId id) {
  auto& before = stream_->last_entry;
  if (options_.strict && before && id <= *before) {
    fail(Errc::bad_order, "entry " + to_text(id) + " after " + to_text(*before));
    return false;
  }
  if (options_.strict && id < stream_->node_id) {
    fail(Errc::bad_order, "entry " + to_text(id) + " in node " + to_text(stream_->node_id));
    return false;
  }
  before = id;
  if (!stream_->first_entry) stream_->first_entry = id;
  return told(handler_.on_stream_id(Role::entry, id)) == Step::ok;
}

bool ValueReader::Impl::on_entry_item(Role role, const Item& item) { return item_text(role, item); }

bool ValueReader::Impl::on_node_problem(std::string problem) {
  fail(Errc::bad_stream, "node " + to_text(stream_->node_id) + ": " + std::move(problem));
  return false;
}

Step ValueReader::Impl::take_stream_len(Part part, std::uint64_t value) {
  if (!stream_) return Step::ok;  // a len that no type gives a meaning
  StreamState& stream = *stream_;
  const StreamId id{stream.ms, value};
  switch (part) {
    case Part::length: stream.length = value; return Step::ok;
    case Part::last_seq: stream.last_id = id; return Step::ok;
    case Part::first_seq: stream.first_id = id; return Step::ok;
    case Part::deleted_seq: stream.max_deleted_id = id; return Step::ok;
    case Part::added: stream.entries_added = value; return Step::ok;
    case Part::group_seq: {
      stream.consumers.clear();
      stream.last_pending.reset();
      stream.pending.clear();
      stream.owned.clear();
      const Step passed = told(handler_.on_stream_id(Role::group_last_id, id));
      if (passed != Step::ok || stream.has_history) return passed;
      return number(Role::entries_read, std::bit_cast<std::uint64_t>(stream.entries_read(id)));
    }
    case Part::group_read: return number(Role::entries_read, value);
    case Part::pending_count: return number(Role::delivery_count, value);
    case Part::item_seq: return told(handler_.on_stream_id(Role::producer_entry, id));
    case Part::seconds:
    case Part::items:
    case Part::items_added:
    case Part::items_duplicate: return take_idempotency(part, value);
    default: stream.ms = value; return Step::ok;  // the first half of an id
  }
}

Step ValueReader::Impl::take_idempotency(Part part, std::uint64_t value) {
  constexpr std::uint64_t seconds_max = 86400;
  constexpr std::uint64_t items_max = 10000;
  if (part == Part::items_added) return number(Role::items_added, value);
  if (part == Part::items_duplicate) return number(Role::items_duplicate, value);
  const bool seconds = part == Part::seconds;
  if (options_.strict && (value == 0 || value > (seconds ? seconds_max : items_max))) {
    return fail(Errc::bad_stream, std::string("idempotency for ") + std::to_string(value) +
                                      (seconds ? " seconds" : " items"));
  }
  return number(seconds ? Role::idempotency_seconds : Role::idempotency_items, value);
}

// Older encodings lack some of it; a server that loads them assumes that nothing was ever deleted.
Step ValueReader::Impl::take_stream_head() {
  StreamState& stream = *stream_;
  if (!stream.has_history) {
    stream.entries_added = stream.length;
    stream.first_id = stream.first_entry.value_or(StreamId{});
  }
  if (options_.strict) {
    if (const Step checked = check_stream_head(); checked != Step::ok) return checked;
  }
  const bool go_on = handler_.on_number(Role::stream_length, stream.length) &&
                     handler_.on_stream_id(Role::last_id, stream.last_id) &&
                     handler_.on_stream_id(Role::first_id, stream.first_id) &&
                     handler_.on_stream_id(Role::max_deleted_id, stream.max_deleted_id) &&
                     handler_.on_number(Role::entries_added, stream.entries_added);
  return told(go_on);
}

Step ValueReader::Impl::check_stream_head() {
  const StreamState& stream = *stream_;
  if (stream.live != stream.length) {
    return fail(Errc::bad_stream, "it says " + std::to_string(stream.length) +
                                      " entries, its nodes have " + std::to_string(stream.live));
  }
  if (stream.last_entry && stream.last_id < *stream.last_entry) {
    return fail(Errc::bad_stream, "last id " + to_text(stream.last_id) + " is below entry " +
                                      to_text(*stream.last_entry));
  }
  if (stream.first_entry && stream.first_id > *stream.first_entry) {
    return fail(Errc::bad_stream, "first id " + to_text(stream.first_id) + " is above entry " +
                                      to_text(*stream.first_entry));
  }
  if (stream.max_deleted_id > stream.last_id) {
    return fail(Errc::bad_stream, "greatest deleted id " + to_text(stream.max_deleted_id) +
                                      " is above last id " + to_text(stream.last_id));
  }
  if (stream.entries_added < stream.length) {
    return fail(Errc::bad_stream, std::to_string(stream.entries_added) +
                                      " entries ever added, but there are " +
                                      std::to_string(stream.length));
  }
  return Step::ok;
}

Step ValueReader::Impl::take_stream_time(Part part, std::uint64_t time) {
  if (part == Part::pending_time) return number(Role::delivery_time, time);
  if (part == Part::consumer_active) return number(Role::active_time, time);
  const Step passed = number(Role::seen_time, time);
  if (passed != Step::ok || stream_->has_active_time) return passed;
  return number(Role::active_time, time);
}

Step ValueReader::Impl::take_stream_id(Part part, StreamId id) {
  StreamState& stream = *stream_;
  if (part == Part::pending_id) {
    if (options_.strict && stream.last_pending && id <= *stream.last_pending) {
      return fail(Errc::bad_order,
                  "pending id " + to_text(id) + " after " + to_text(*stream.last_pending));
    }
    stream.last_pending = id;
    stream.pending.add(id);
    return told(handler_.on_stream_id(Role::pending, id));
  }
  stream.owned.add(id);
  const Role role = part == Part::nacked ? Role::nacked : Role::consumer_pending;
  return told(handler_.on_stream_id(role, id));
}

// Each pending id belongs to exactly one consumer, or was handed back.
Step ValueReader::Impl::end_group() {
  if (!options_.strict || stream_->pending == stream_->owned) return Step::ok;
  return fail(Errc::bad_stream,
              "group number " + std::to_string(stream_->groups.size()) + " has " +
                  std::to_string(stream_->pending.count()) + " pending ids, its consumers have " +
                  std::to_string(stream_->owned.count()) +
                  (stream_->pending.count() == stream_->owned.count() ? " others" : ""));
}

}  // namespace sluice::rdb
