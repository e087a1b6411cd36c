#include "rdb/digest_stream.h"

#include "rdb/digest_node.h"

namespace sluice::rdb {

void StreamDigest::on_text(Role role, const Digest128& hash) {
  if (role == Role::entry_field) {
    entry_.field = hash;
  } else if (role == Role::entry_value) {
    entry_.sum += hash_node(Node::stream_pair, entry_.pairs++, entry_.field.low, entry_.field.high,
                            hash.low, hash.high);
  } else if (role == Role::group) {
    end_group();
    group_ = {};
    group_.open = true;
    group_.name = hash;
  } else if (role == Role::consumer) {
    end_consumer();
    consumer_ = {.open = true, .name = hash, .pending = {}};
  } else if (role == Role::producer) {
    end_producer();
    producer_ = {.open = true, .name = hash, .item = {}, .items = {}};
    has_producers_ = true;
  } else if (role == Role::producer_item) {
    producer_.item = hash;
  }
}

void StreamDigest::on_number(Role role, std::uint64_t number) {
  if (role == Role::delivery_time) {
    group_.delivery_time = number;
  } else if (role == Role::delivery_count) {
    group_.pending += hash_node(Node::stream_pending, group_.pending_id.ms, group_.pending_id.seq,
                                group_.delivery_time, number);
  } else if (role == Role::stream_length) {
    length_ = number;
  } else if (role == Role::entries_added) {
    entries_added_ = number;
  } else if (role == Role::entries_read) {
    group_.entries_read = number;
  } else if (role == Role::idempotency_seconds) {
    idempotency_seconds_ = number;
  } else if (role == Role::idempotency_items) {
    idempotency_items_ = number;
  } else if (role == Role::items_added) {
    items_added_ = number;
  } else if (role == Role::items_duplicate) {
    items_duplicate_ = number;
  }
}

void StreamDigest::on_id(Role role, StreamId id) {
  if (role == Role::entry) {
    end_entry();
    entry_ = {};
    entry_.open = true;
    entry_.id = id;
  } else if (role == Role::last_id) {
    last_id_ = id;
  } else if (role == Role::max_deleted_id) {
    max_deleted_id_ = id;
  } else if (role == Role::group_last_id) {
    group_.last_id = id;
  } else if (role == Role::pending) {
    group_.pending_id = id;
  } else if (role == Role::consumer_pending) {
    consumer_.pending += hash_node(Node::stream_consumer_pending, id.ms, id.seq);
  } else if (role == Role::nacked) {
    group_.nacked += hash_node(Node::stream_nacked, id.ms, id.seq);
  } else if (role == Role::producer_entry) {
    producer_.items += hash_node(Node::stream_producer_item, producer_.item.low,
                                 producer_.item.high, id.ms, id.seq);
  }
}

void StreamDigest::end_entry() {
  if (!entry_.open) return;
  entries_ +=
      hash_node(Node::stream_entry, entry_.id.ms, entry_.id.seq, entry_.sum.low, entry_.sum.high);
  entry_.open = false;
}

void StreamDigest::end_consumer() {
  if (!consumer_.open) return;
  group_.consumers += hash_node(Node::stream_consumer, consumer_.name.low, consumer_.name.high,
                                consumer_.pending.low, consumer_.pending.high);
  consumer_.open = false;
}

void StreamDigest::end_group() {
  end_consumer();
  if (!group_.open) return;
  groups_ +=
      hash_node(Node::stream_group, group_.name.low, group_.name.high, group_.last_id.ms,
                group_.last_id.seq, group_.entries_read, group_.pending.low, group_.pending.high,
                group_.consumers.low, group_.consumers.high, group_.nacked.low, group_.nacked.high);
  group_.open = false;
}

void StreamDigest::end_producer() {
  if (!producer_.open) return;
  producers_ += hash_node(Node::stream_producer, producer_.name.low, producer_.name.high,
                          producer_.items.low, producer_.items.high);
  producer_.open = false;
}

// Without producers the settings are the server's own, which it fills in when it loads a stream of
// an older server.
Digest128 StreamDigest::idempotency() const {
  if (!has_producers_) return {};
  return hash_node(Node::stream_idempotency, idempotency_seconds_, idempotency_items_,
                   producers_.low, producers_.high, items_added_, items_duplicate_);
}

Digest128 StreamDigest::end() {
  end_entry();
  end_group();
  end_producer();
  const Digest128 idempotent = idempotency();
  return hash_node(Node::stream, entries_.low, entries_.high, length_, last_id_.ms, last_id_.seq,
                   max_deleted_id_.ms, max_deleted_id_.seq, entries_added_, groups_.low,
                   groups_.high, idempotent.low, idempotent.high);
}

}  // namespace sluice::rdb
