#include "engine/run_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>

#include "engine/varint.h"

namespace sluice::engine {
namespace {

constexpr std::size_t front_room = 16 << 10;  // to begin with

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// How many bytes `key` begins with that `last` begins with too; nothing when it does not come
/// after it.
std::optional<std::size_t> shared_bytes(std::span<const std::byte> last,
                                        std::span<const std::byte> key) noexcept {
  const auto differ = std::ranges::mismatch(last, key);
  const auto shared = static_cast<std::size_t>(differ.in2 - key.begin());
  if (shared == key.size()) return std::nullopt;
  if (shared < last.size() && last[shared] > key[shared]) return std::nullopt;
  return shared;
}

std::uint8_t expiry_form(const Record& record) noexcept {
  if (!record.expire_at_ms) return 0;
  const bool is_short = *record.expire_at_ms >= 0 && *record.expire_at_ms <= expiry_u48_max;
  return is_short ? run_attribute::expiry_u48 : run_attribute::expiry_i64;
}

std::uint8_t attributes_of(const Record& record) noexcept {
  unsigned attributes = expiry_form(record);
  if (!record.meta.empty()) attributes |= run_attribute::meta;
  if (record.fragmented) attributes |= run_attribute::fragmented;
  if (record.idle_s) attributes |= run_attribute::idle;
  if (record.freq) attributes |= run_attribute::freq;
  return static_cast<std::uint8_t>(attributes);
}

std::uint64_t bytes_of(const Record& record, std::size_t shared) noexcept {
  const std::size_t rest = record.key.size() - shared;
  std::uint64_t bytes = varint_bytes(shared) + varint_bytes(rest) + rest;
  bytes += 2 + varint_bytes(record.value.size()) + record.value.size();
  bytes += run_attribute::expiry_bytes(expiry_form(record));
  if (record.idle_s) bytes += varint_bytes(*record.idle_s);
  if (record.freq) bytes += 1;
  if (!record.meta.empty()) bytes += varint_bytes(record.meta.size()) + record.meta.size();
  return bytes;
}

}  // namespace

RunWriter::RunWriter() : front_room_(front_room) { clear(); }

void RunWriter::clear() noexcept {
  for (auto& column : columns_) column.clear();
  last_key_.clear();
  pieces_.clear();
  run_.resize(front_room_);
  finished_ = {};
  bytes_ = sizeof(RunHeader);
  records_ = 0;
}

bool RunWriter::add(const Record& record) {
  assert(finished_.empty());
  std::size_t shared = 0;
  if (records_ > 0) {
    const auto found = shared_bytes(last_key_, record.key);
    if (!found) return false;
    shared = *found;
  }
  const std::uint64_t bytes = bytes_of(record, shared);
  if (bytes > bytes_max - bytes_) return false;
  bytes_ += bytes;
  ++records_;
  for (std::size_t i = 0; i < front_columns; ++i) {
    const auto which = static_cast<RunColumn>(i);
    pieces_.column(which).push_back(static_cast<std::uint32_t>(columns_[i].size()));
  }
  pieces_.column(RunColumn::values).push_back(static_cast<std::uint32_t>(values_bytes()));
  add_key(record.key, shared);
  add_attributes(record);
  put_varint(column(RunColumn::sizes), record.value.size());
  append(run_, record.value);
  return true;
}

void RunWriter::add_key(std::span<const std::byte> key, std::size_t shared) {
  auto& keys = column(RunColumn::keys);
  const auto rest = key.subspan(shared);
  put_varint(keys, shared);
  put_varint(keys, rest.size());
  append(keys, rest);
  last_key_.resize(shared);
  append(last_key_, rest);
}

void RunWriter::add_attributes(const Record& record) {
  auto& kinds = column(RunColumn::kinds);
  kinds.push_back(static_cast<std::byte>(record.type));
  kinds.push_back(static_cast<std::byte>(attributes_of(record)));
  if (record.expire_at_ms) {
    const auto bytes = std::as_bytes(std::span(&*record.expire_at_ms, 1));
    append(column(RunColumn::expiries),
           bytes.first(run_attribute::expiry_bytes(expiry_form(record))));
  }
  if (record.idle_s) put_varint(column(RunColumn::access), *record.idle_s);
  if (record.freq) column(RunColumn::access).push_back(static_cast<std::byte>(*record.freq));
  if (!record.meta.empty()) {
    put_varint(column(RunColumn::metas), record.meta.size());
    append(column(RunColumn::metas), record.meta);
  }
}

std::span<const std::byte> RunWriter::finish() {
  assert(records_ > 0);
  if (!finished_.empty()) return finished_;
  RunHeader header;
  header.records = static_cast<std::uint32_t>(records_);
  header.column_bytes[front_columns] = static_cast<std::uint32_t>(values_bytes());
  std::size_t front = sizeof header;
  for (const auto& column : columns_) front += column.size();
  if (front > front_room_) {
    run_.insert(run_.begin(), front - front_room_, std::byte{});
    front_room_ = front;
  }
  std::byte* const begin = run_.data() + (front_room_ - front);
  std::size_t at = sizeof header;
  for (std::size_t i = 0; i < run_column_count; ++i) {
    auto& starts = pieces_.column(static_cast<RunColumn>(i));
    for (std::uint32_t& start : starts) start += static_cast<std::uint32_t>(at);
    if (i < front_columns) {
      header.column_bytes[i] = static_cast<std::uint32_t>(columns_[i].size());
      std::ranges::copy(columns_[i], begin + at);
    }
    at += header.column_bytes[i];
    starts.push_back(static_cast<std::uint32_t>(at));
  }
  std::memcpy(begin, &header, sizeof header);
  finished_ = {begin, at};
  assert(finished_.size() == bytes_);
  return finished_;
}

}  // namespace sluice::engine
