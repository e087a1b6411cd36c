#include "engine/filter_stream.h"

#include <algorithm>
#include <charconv>

#include "rdb/escape.h"

namespace sluice::engine {
namespace {

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::optional<std::int64_t> saved_time_ms(const StreamFacts& facts) {
  const std::string ctime = facts.aux("ctime");
  constexpr std::int64_t seconds_max = 253'402'300'799;  // the year 9999
  std::int64_t seconds = 0;
  const char* const end = ctime.data() + ctime.size();
  const auto [behind, ec] = std::from_chars(ctime.data(), end, seconds);
  if (ec != std::errc() || behind != end || seconds <= 0 || seconds > seconds_max)
    return std::nullopt;
  return seconds * 1000;
}

FilterStream::FilterStream(const Filter& filter, const KeyChooser& chooser, Clock clock,
                           rdb::Handler& next, FilterTally& tally)
    : filter_(filter), chooser_(chooser), clock_(clock), next_(next), tally_(tally) {}

bool FilterStream::on_header(const rdb::Header& header) {
  return StreamFacts::on_header(header) && next_.on_header(header);
}

bool FilterStream::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  StreamFacts::on_aux(key, value);
  const std::string_view name(reinterpret_cast<const char*>(key.data()), key.size());
  if (name == "lua" && !takes_functions()) return true;  // a cached script
  return next_.on_aux(key, value);
}

bool FilterStream::on_database(std::uint64_t db) {
  return StreamFacts::on_database(db) && next_.on_database(target_db(db));
}

bool FilterStream::on_function(std::span<const std::byte> source) {
  StreamFacts::on_function(source);
  return !takes_functions() || next_.on_function(source);
}

bool FilterStream::on_module_aux(std::uint64_t module_id, std::uint64_t when) {
  StreamFacts::on_module_aux(module_id, when);
  return !takes_functions() || next_.on_module_aux(module_id, when);
}

bool FilterStream::on_end(const rdb::Trailer& trailer) {
  return StreamFacts::on_end(trailer) && next_.on_end(trailer);
}

std::uint64_t FilterStream::target_db(std::uint64_t db) const {
  const auto found = filter_.databases.find(db);
  return found == filter_.databases.end() ? db : found->second;
}

/// Works out, once, what is done to expiries. False when it cannot be known.
bool FilterStream::know_change() {
  if (change_ || filter_.ttl == TtlMode::keep) return true;
  const auto told = saved_time_ms(*this);
  const auto saved = told ? told : clock_.saved_ms;
  const bool shifts = filter_.ttl == TtlMode::shift;
  if (shifts && !filter_.shift_ms && !saved) {
    return fail(
        "nothing says when the data were saved, hence how much time has passed since: say "
        "it with --ttl shift=DURATION");
  }
  change_.emplace();
  if (saved) change_->snapshot_ms = *saved;
  if (shifts) {
    change_->kind = rdb::ExpiryChange::Kind::shift;
    change_->by_ms = filter_.shift_ms ? *filter_.shift_ms : clock_.now_ms - *saved;
  }
  return true;
}

/// A key that had expired when the data were saved stays as dead as it was.
std::optional<std::int64_t> FilterStream::changed(std::optional<std::int64_t> at_ms) const {
  if (!at_ms || !change_ || *at_ms <= change_->snapshot_ms) return at_ms;
  if (change_->kind == rdb::ExpiryChange::Kind::drop) return std::nullopt;
  return rdb::add_times(*at_ms, change_->by_ms);
}

void FilterStream::take_record(const rdb::RecordHeader& record) {
  source_db_ = record.db;
  source_ = copy_of(record.key);
  const auto prefix = std::as_bytes(std::span(filter_.prefix));
  key_.assign(prefix.begin(), prefix.end());
  key_.insert(key_.end(), record.key.begin(), record.key.end());
  key_meta_ = copy_of(record.key_meta);
  const std::uint64_t index = record_.index;
  record_ = record;
  record_.index = index;
  record_.db = target_db(record.db);
  record_.key = key_;
  record_.key_meta = key_meta_;
  record_.expire_at_ms = changed(record.expire_at_ms);
}

bool FilterStream::on_record_begin(const rdb::RecordHeader& record) {
  StreamFacts::on_record_begin(record);
  value_ = Value::dropped;
  record_.index = record.index;
  if (!indexes_.empty()) {
    record_.index = indexes_.front();
    indexes_.pop_front();
  }
  if (!chooser_.takes(record.db, record.key, record.type->logical)) {
    tally_.left_out(record.type->logical);
    return true;
  }
  const bool has_fields = rdb::FieldExpiryEditor::concerns(*record.type);
  if ((record.expire_at_ms || has_fields) && !know_change()) return false;
  take_record(record);
  if (has_fields && change_) {
    held_.clear();
    value_ = Value::held;
    return true;
  }
  value_ = Value::passed;
  return next_.on_record_begin(record_);
}

bool FilterStream::on_value_part(std::span<const std::byte> part) {
  StreamFacts::on_value_part(part);
  switch (value_) {
    case Value::dropped: return true;
    case Value::passed: return next_.on_value_part(part);
    case Value::held: return hold(part);
    case Value::edited: return pass_edited(part);
  }
  return true;
}

bool FilterStream::hold(std::span<const std::byte> part) {
  held_.insert(held_.end(), part.begin(), part.end());
  if (held_.size() <= long_value_bytes) return true;
  if (!rdb::FieldExpiryEditor::is_listpack(*record_.type)) return begin_edited();
  refuse("the expiries of its fields cannot be changed: its listpack is above 1 MiB");
  return true;
}

bool FilterStream::begin_edited() {
  value_ = Value::edited;
  editor_.begin(*record_.type, *change_);
  if (!next_.on_record_begin(record_)) return false;
  const std::vector<std::byte> held = std::move(held_);
  held_ = {};
  return pass_edited(held);
}

bool FilterStream::pass_edited(std::span<const std::byte> part) {
  const auto edited = editor_.feed(part);
  if (!edited) return fail("key \"" + rdb::escape(source_) + "\": its value: " + edited.error());
  return next_.on_value_part(*edited);
}

bool FilterStream::on_record_end(std::uint64_t offset) {
  StreamFacts::on_record_end(offset);
  switch (value_) {
    case Value::dropped: return true;
    case Value::held: return hand_on_held(offset);
    case Value::passed:
    case Value::edited: break;
  }
  return next_.on_record_end(offset);
}

bool FilterStream::hand_on_held(std::uint64_t offset) {
  std::vector<std::byte> value;
  if (rdb::FieldExpiryEditor::is_listpack(*record_.type)) {
    auto edited = rdb::FieldExpiryEditor::edit_listpack(*record_.type, *change_, held_,
                                                        std::uint64_t{16} * long_value_bytes);
    if (edited && edited->size() > long_value_bytes)
      edited = std::unexpected("its listpack takes above 1 MiB");
    if (!edited) {
      refuse("the expiries of its fields cannot be changed: " + edited.error());
      return true;
    }
    value = *std::move(edited);
  } else {
    editor_.begin(*record_.type, *change_);
    const auto edited = editor_.feed(held_);
    if (!edited || !editor_.complete()) {
      refuse("the expiries of its fields cannot be changed: " +
             (edited ? std::string("it is cut") : edited.error()));
      return true;
    }
    value = copy_of(*edited);
  }
  return next_.on_record_begin(record_) && next_.on_value_part(value) &&
         next_.on_record_end(offset);
}

void FilterStream::refuse(std::string_view why) {
  value_ = Value::dropped;
  held_.clear();
  tally_.refused(record_.type->logical, source_db_, source_, why);
}

bool FilterStream::fail(std::string_view why) {
  error_ = Error{.stage = Stage::engine, .code = "not_filtered", .message = std::string(why)};
  return false;
}

}  // namespace sluice::engine
