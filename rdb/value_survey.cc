#include "rdb/value_survey.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <string_view>

namespace sluice::rdb {
namespace {

constexpr std::string_view nacked_name = "sluice:nacked";
// What Redis 8.6 gives every stream.
constexpr std::uint64_t default_idempotency_seconds = 100;
constexpr std::uint64_t default_idempotency_items = 100;

}  // namespace

FieldExpiry field_expiry_of(const ValueType& type) noexcept {
  if (type.name == "hash_metadata") return FieldExpiry::before;
  return type.name == "hash_2" ? FieldExpiry::after : FieldExpiry::none;
}

void ValueSurvey::begin(const ValueType& as) {
  keep_expiries_ = field_expiry_of(as) == FieldExpiry::before;  // to be known before the fields are
  elements_ = longest_ = 0;
  min_expiry_.reset();
  expiries_.clear();
  assumed_.begin();
  groups_ = 0;
  history_differs_ = active_times_differ_ = has_producers_ = false;
  nacked_.clear();
  name_size_ = primes_ = 0;
}

bool ValueSurvey::is_wide() const noexcept {
  return std::max(elements_, longest_) > std::numeric_limits<std::uint32_t>::max();
}

Losses ValueSurvey::losses(const ValueType& from, const ValueType& as) const {
  Losses losses;
  const bool has_expiries = field_expiry_of(as) != FieldExpiry::none;
  if (as.logical == LogicalType::hash && !has_expiries && min_expiry_) {
    losses.add(Loss::field_expiries);
  }
  if (as.logical != LogicalType::stream) return losses;
  if (as.since < 14 && !nacked_.empty()) losses.add(Loss::nack_zone);
  if (as.since < 13 && has_producers_) losses.add(Loss::idempotency);
  if (as.since < 11 && from.since >= 11 && active_times_differ_) losses.add(Loss::active_times);
  if (as.since < 10 && from.since >= 10 && history_differs_) losses.add(Loss::stream_history);
  return losses;
}

std::string ValueSurvey::free_consumer_name() const {
  return std::string(nacked_name) + std::string(primes_, '\'');
}

bool ValueSurvey::on_text(Role role, const Text& text) {
  longest_ = std::max(longest_, text.size);
  if (role == Role::consumer) take_consumer(text);
  if (role == Role::producer) has_producers_ = true;
  if (role == Role::group && text.last) ++groups_;
  const bool counts = role == Role::element || role == Role::member || role == Role::field;
  if (counts && text.last) ++elements_;
  return true;
}

/// Ours must not be there yet; it is when the stream came this way before.
void ValueSurvey::take_consumer(const Text& text) {
  if (text.size > name_.size()) return;
  if (text.first) name_size_ = 0;
  std::memcpy(name_.data() + name_size_, text.bytes.data(), text.bytes.size());
  name_size_ += text.bytes.size();
  const std::string_view name(name_.data(), name_size_);
  if (!text.last || !name.starts_with(nacked_name)) return;
  const std::string_view rest = name.substr(nacked_name.size());
  const auto is_prime = [](char letter) { return letter == '\''; };
  if (std::ranges::all_of(rest, is_prime)) primes_ = std::max(primes_, rest.size() + 1);
}

bool ValueSurvey::on_number(Role role, std::uint64_t number) {
  switch (role) {
    case Role::field_expiry:
      min_expiry_ = std::min(number, min_expiry_.value_or(number));
      if (!keep_expiries_) return true;
      expiries_.resize(elements_ - 1);
      expiries_.push_back(number);
      return true;
    case Role::stream_length: assumed_.length = assumed_.entries_added = number; return true;
    case Role::entries_added: history_differs_ |= number != assumed_.entries_added; return true;
    case Role::entries_read:
      history_differs_ |=
          std::bit_cast<std::int64_t>(number) != assumed_.entries_read(group_last_id_);
      return true;
    case Role::seen_time: seen_time_ = number; return true;
    case Role::active_time: active_times_differ_ |= number != seen_time_; return true;
    case Role::idempotency_seconds:
      has_producers_ |= number != default_idempotency_seconds;
      return true;
    case Role::idempotency_items:
      has_producers_ |= number != default_idempotency_items;
      return true;
    case Role::items_added:
    case Role::items_duplicate: has_producers_ |= number != 0; return true;
    default: return true;
  }
}

bool ValueSurvey::on_stream_id(Role role, StreamId id) {
  switch (role) {
    case Role::entry:
      if (!assumed_.first_entry) assumed_.first_entry = id;
      return true;
    case Role::last_id: assumed_.last_id = id; return true;
    case Role::first_id:
      assumed_.first_id = assumed_.first_entry.value_or(StreamId{});
      history_differs_ |= id != assumed_.first_id;
      return true;
    case Role::max_deleted_id: history_differs_ |= id != StreamId{}; return true;
    case Role::group_last_id: group_last_id_ = id; return true;
    case Role::nacked:
      if (nacked_.empty() || nacked_.back().group != groups_ - 1)
        nacked_.push_back({groups_ - 1, 0});
      ++nacked_.back().ids;
      return true;
    default: return true;
  }
}

}  // namespace sluice::rdb
