#include "engine/ingest_stream.h"

#include <utility>

#include "engine/errors.h"
#include "engine/fragment_list.h"
#include "net/key_slot.h"
#include "rdb/escape.h"
#include "rdb/writer.h"

namespace sluice::engine {
namespace {

constexpr std::size_t key_bytes_max = 2 << 20;

/// A run holds at least one key whole, and a run is one chunk.
Error too_long_key(const rdb::RecordHeader& record) {
  return {.stage = Stage::storage,
          .code = "key_too_long",
          .message = "db " + std::to_string(record.db) + " key \"" + rdb::escape(record.key, 64) +
                     "\" has " + std::to_string(record.key.size()) + " bytes, at most " +
                     std::to_string(key_bytes_max) +
                     " can be sorted: use --layout stream, which keeps it"};
}

}  // namespace

IngestStream::IngestStream(IngestShare share, Options options)
    : share_(share), options_(std::move(options)), fragments_(options_.fragments) {}

Result<void> IngestStream::feed(std::span<const std::byte> bytes) {
  const auto taken = parser_.feed(bytes);
  if (error_) return std::unexpected(*error_);
  if (!taken) return std::unexpected(from_rdb(taken.error(), options_.what));
  trailing_bytes_ += bytes.size() - *taken;
  if (share_.store.error()) return std::unexpected(*share_.store.error());
  return {};
}

Result<void> IngestStream::finish() {
  if (auto ended = parser_.finish(); !ended)
    return std::unexpected(from_rdb(ended.error(), options_.what));
  return {};
}

void IngestStream::pause() {
  if (!in_record_ || is_long_) return;
  const auto begun = share_.store.begun_value();
  parked_.assign(begun.begin(), begun.end());
  share_.store.drop();
}

void IngestStream::resume() {
  if (!in_record_ || is_long_) return;
  share_.store.begin(db_, record_);
  share_.store.append(parked_);
  parked_.clear();
}

bool IngestStream::keep(const Result<void>& outcome) {
  if (outcome) return true;
  if (!error_) error_ = outcome.error();
  return false;
}

bool IngestStream::on_header(const rdb::Header& header) {
  if (options_.head != nullptr && options_.has_magic) {
    rdb::Writer magic(header, [this](auto bytes) { options_.head->add(bytes); });
    magic.begin();
    magic.flush();
  }
  return StreamFacts::on_header(header);
}

bool IngestStream::on_metadata_part(std::span<const std::byte> part) {
  PreambleWriter* const preamble = keys() == 0 ? options_.head : options_.tail;
  if (preamble != nullptr) preamble->add(part);
  return true;
}

bool IngestStream::on_function(std::span<const std::byte> source) {
  if (options_.on_function) options_.on_function(source);
  return StreamFacts::on_function(source);
}

bool IngestStream::on_database(std::uint64_t db) {
  db_ = db;
  return StreamFacts::on_database(db);
}

bool IngestStream::on_database_size(std::uint64_t keys, std::uint64_t expires) {
  share_.store.expect(db_, keys);
  return StreamFacts::on_database_size(keys, expires);
}

bool IngestStream::on_record_begin(const rdb::RecordHeader& record) {
  key_.assign(record.key.begin(), record.key.end());
  meta_.assign(record.key_meta.begin(), record.key_meta.end());
  record_ = {.key = key_,
             .type = record.type->number,
             .expire_at_ms = record.expire_at_ms,
             .idle_s = {},
             .freq = {},
             .meta = meta_,
             .fragmented = false,
             .foreign = options_.owns && !options_.owns(net::key_slot(key_)),
             .value = {}};
  if (share_.keep_access) {
    record_.idle_s = record.lru_idle_s;
    record_.freq = record.lfu_freq;
  }
  in_record_ = true;
  is_long_ = false;
  if (record.key.size() > key_bytes_max) return keep(std::unexpected(too_long_key(record)));
  share_.store.begin(record.db, record_);
  return StreamFacts::on_record_begin(record);
}

bool IngestStream::on_value_part(std::span<const std::byte> part) {
  const bool too_long = value_bytes() + part.size() > long_value_bytes;
  if (!is_long_ && too_long && !begin_long_value()) return false;
  if (is_long_) {
    long_digest_.add(part);
    if (!keep(fragments_.feed(part))) return false;
  } else {
    share_.store.append(part);
  }
  return StreamFacts::on_value_part(part);
}

/// What came of the value so far moves from the store to the fragments.
bool IngestStream::begin_long_value() {
  is_long_ = true;
  const auto begun = share_.store.begun_value();
  long_digest_.begin({.index = keys(),
                      .offset = 0,
                      .db = db_,
                      .type = rdb::find_value_type(header()->dialect, record_.type),
                      .value_offset = 0,
                      .key = key_,
                      .expire_at_ms = record_.expire_at_ms,
                      .lru_idle_s = {},
                      .lfu_freq = {},
                      .key_meta = meta_},
                     *header());
  long_digest_.add(begun);
  fragments_.begin();
  const bool fed = keep(fragments_.feed(begun));
  share_.store.drop();
  return fed;
}

bool IngestStream::on_record_end(std::uint64_t offset) {
  in_record_ = false;
  if (!is_long_) {
    share_.store.end();
    return StreamFacts::on_record_end(offset);
  }
  const auto list = fragments_.end();
  if (!list) return keep(std::unexpected(list.error()));
  (*list)->terms = long_digest_.end_record();
  write_fragment_list(**list, list_);
  record_.fragmented = true;
  record_.value = list_;
  share_.store.add(db_, record_);
  return StreamFacts::on_record_end(offset);
}

}  // namespace sluice::engine
