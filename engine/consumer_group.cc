#include "engine/consumer_group.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/stream_id.h"

namespace sluice::engine {
namespace {

using rdb::Role;

/// Sort key of a pending id: the delivery comes before the owner.
constexpr std::size_t key_bytes = stream_id_key_bytes + 1;
enum class Part : std::uint8_t { delivery, owner };

std::array<std::byte, key_bytes> pending_key(rdb::StreamId id, Part part) {
  std::array<std::byte, key_bytes> key;
  std::ranges::copy(stream_id_key(id), key.begin());
  key[stream_id_key_bytes] = std::byte{static_cast<std::uint8_t>(part)};
  return key;
}

rdb::Text whole(std::span<const std::byte> bytes) { return {.bytes = bytes, .size = bytes.size()}; }

void keep(Spool& texts, KeptText& kept, const rdb::Text& text) {
  if (text.first) kept = {.offset = texts.size(), .size = text.size};
  texts.append(text.bytes);
}

ScratchLimits smaller(ScratchLimits limits) {
  limits.sort_bytes /= 8;
  limits.spool_bytes /= 8;
  return limits;
}

}  // namespace

ConsumerGroup::ConsumerGroup(const ScratchLimits& limits)
    : texts_(limits.spool_bytes / 8),
      consumers_(limits.spool_bytes / 8),
      by_name_(smaller(limits)),
      pending_(smaller(limits)) {}

void ConsumerGroup::clear() {
  texts_.clear();
  consumers_.clear();
  by_name_.clear();
  pending_.clear();
  has_open_pending_ = false;
  has_open_consumer_ = false;
  consumer_count_ = 0;
  has_ahead_ = false;
}

void ConsumerGroup::on_text(Role role, const rdb::Text& text) {
  if (role == Role::group) keep(texts_, name_, text);
  if (role != Role::consumer) return;
  if (text.first) {
    end_pending();
    end_consumer();
    has_open_consumer_ = true;
  }
  keep(texts_, open_consumer_.name, text);
  by_name_.key(text);
}

void ConsumerGroup::on_number(Role role, std::uint64_t number) {
  if (role == Role::entries_read) entries_read_ = number;
  if (role == Role::delivery_time) open_pending_.delivery_time = number;
  if (role == Role::delivery_count) open_pending_.delivery_count = number;
  if (role == Role::seen_time) open_consumer_.seen_time = number;
  if (role == Role::active_time) open_consumer_.active_time = number;
}

void ConsumerGroup::on_stream_id(Role role, rdb::StreamId id) {
  if (role == Role::group_last_id) last_id_ = id;
  if (role == Role::pending) {
    end_pending();
    open_pending_.id = id;
    has_open_pending_ = true;
  }
  if (role == Role::consumer_pending) add_owner(id, consumer_count_);
  if (role == Role::nacked) add_owner(id, std::nullopt);
}

void ConsumerGroup::end_pending() {
  if (!has_open_pending_) return;
  has_open_pending_ = false;
  const std::array numbers{open_pending_.delivery_time, open_pending_.delivery_count};
  pending_.key(whole(pending_key(open_pending_.id, Part::delivery)));
  pending_.value(whole(std::as_bytes(std::span(numbers))));
  pending_.end();
}

void ConsumerGroup::end_consumer() {
  if (!has_open_consumer_) return;
  has_open_consumer_ = false;
  consumers_.append_raw(open_consumer_);
  by_name_.number(consumer_count_);
  by_name_.end();
  ++consumer_count_;
}

void ConsumerGroup::add_owner(rdb::StreamId id, std::optional<std::uint64_t> consumer) {
  end_pending();
  pending_.key(whole(pending_key(id, Part::owner)));
  if (consumer) pending_.number(*consumer);
  pending_.end();
}

void ConsumerGroup::sort() {
  end_pending();
  end_consumer();
  by_name_.sort();
  pending_.sort();
  has_ahead_ = pending_.next(ahead_);
}

ConsumerGroup::Consumer ConsumerGroup::consumer_at(std::uint64_t index) {
  return consumers_.read_raw<Consumer>(index * sizeof(Consumer));
}

bool ConsumerGroup::next_pending(Pending& pending) {
  const auto is_owner = [&] { return ahead_.key.bytes[stream_id_key_bytes] != std::byte{0}; };
  // An owner without its delivery belongs to no pending id of the group; nothing is said of it.
  while (has_ahead_ && is_owner()) has_ahead_ = pending_.next(ahead_);
  if (!has_ahead_) return false;
  std::array<std::uint64_t, 2> numbers;
  std::memcpy(numbers.data(), ahead_.value.bytes.data(), sizeof numbers);
  pending = {.id = rdb::stream_id_of(ahead_.key.bytes),
             .delivery_time = numbers[0],
             .delivery_count = numbers[1],
             .consumer = std::nullopt};
  has_ahead_ = pending_.next(ahead_);
  const bool owned = has_ahead_ && is_owner() && rdb::stream_id_of(ahead_.key.bytes) == pending.id;
  if (owned && ahead_.number) pending.consumer = consumer_at(*ahead_.number).name;
  return !error();
}

bool ConsumerGroup::next_consumer(Consumer& consumer) {
  ScratchSorter::Record record;
  if (!by_name_.next(record)) return false;
  consumer = consumer_at(record.number.value_or(0));
  return !error();
}

const std::optional<Error>& ConsumerGroup::error() const noexcept {
  for (const auto* error : {&texts_.error(), &consumers_.error(), &by_name_.error()}) {
    if (*error) return *error;
  }
  return pending_.error();
}

}  // namespace sluice::engine
