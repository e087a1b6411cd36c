#include "engine/restore_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>

#include "engine/clock.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

constexpr std::size_t spool_memory_bytes = 16 << 20;
constexpr std::string_view key_exists = "BUSYKEY Target key name already exists.";
constexpr std::string_view key_may_be_part =
    "exists: from before, or as a part that the interrupted restore left; look at it, and delete "
    "it "
    "to have it restored";
constexpr std::string_view way_broke = "not sent: the way to the target broke";

/// "#!lua name=mylib ..." gives "mylib".
std::string library_name(std::span<const std::byte> source) {
  std::string_view line(reinterpret_cast<const char*>(source.data()), source.size());
  line = line.substr(0, line.find('\n'));
  const std::size_t at = line.find("name=");
  if (at == std::string_view::npos) return "without a name";
  line.remove_prefix(at + 5);
  return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

}  // namespace

RestoreStream::RestoreStream(Options options, RestoreLedger& ledger, CommandOutlet outlet,
                             WrittenDigest* written)
    : options_(options),
      ledger_(ledger),
      outlet_(std::move(outlet)),
      written_(written),
      spool_(spool_memory_bytes) {}

// Scripts of servers up to 6.2, so that EVALSHA goes on working.
bool RestoreStream::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  StreamFacts::on_aux(key, value);
  const std::string_view name(reinterpret_cast<const char*>(key.data()), key.size());
  if (name != "lua") return true;
  batch_.begin_command(3);
  batch_.arg("SCRIPT");
  batch_.arg("LOAD");
  batch_.arg(value);
  batch_.end_command(CommandTag{.kind = CommandTag::Kind::script}.pack(), "");
  return batch_.size_bytes() < batch_bytes_max_ || flush();
}

bool RestoreStream::on_function(std::span<const std::byte> source) {
  StreamFacts::on_function(source);
  const bool replace = replaces();
  batch_.begin_command(replace ? 4 : 3);
  batch_.arg("FUNCTION");
  batch_.arg("LOAD");
  if (replace) batch_.arg("REPLACE");
  batch_.arg(source);
  batch_.end_command(CommandTag{.kind = CommandTag::Kind::function}.pack(), library_name(source));
  return batch_.size_bytes() < batch_bytes_max_ || flush();
}

// A SELECT that fails must not be overtaken: the keys after it would land in another database.
bool RestoreStream::select(std::uint64_t db) {
  if (db_ == db) return true;
  if (!flush() || !outlet_.settle()) return false;
  db_ = db;
  batch_.begin_command(2);
  batch_.arg("SELECT");
  batch_.arg(std::to_string(db));
  batch_.end_command(CommandTag{.kind = CommandTag::Kind::select}.pack(), "");
  if (!flush() || !outlet_.settle()) return false;
  db_usable_ = ledger_.select_error().empty();
  return true;
}

/// The length of the current record's value when it is a long one, else 0.
std::uint64_t RestoreStream::take_long_value_bytes() {
  if (options_.long_values == nullptr) return 0;
  const auto& list = *options_.long_values;
  while (next_long_value_ < list.size() && list[next_long_value_].record < record_.index) {
    ++next_long_value_;
  }
  const bool listed =
      next_long_value_ < list.size() && list[next_long_value_].record == record_.index;
  return listed ? list[next_long_value_].value_bytes : 0;
}

// Two databases of the source may be one here: keys of the second are not to overtake those of the
// first that have their names.
bool RestoreStream::on_database(std::uint64_t /*db*/) {
  db_.reset();
  return true;
}

bool RestoreStream::on_record_begin(const rdb::RecordHeader& record) {
  StreamFacts::on_record_begin(record);
  ledger_.count_read(record.type->logical);
  fate_ = Fate::drop;
  record_ = record;
  key_.assign(record.key.begin(), record.key.end());
  record_.key = key_;
  record_.key_meta = {};
  if (!options_.sends_expired && record.expire_at_ms && *record.expire_at_ms <= unix_now_ms()) {
    ledger_.count_expired(record.type->logical);
    return true;
  }
  if (record_.expire_at_ms && options_.grace.count() > 0) {
    record_.expire_at_ms = std::max(*record_.expire_at_ms, unix_now_ms() + options_.grace.count());
  }
  if (!select(record.db)) {
    refuse(way_broke);
    return false;
  }
  if (!db_usable_) {
    refuse(fmt::format("SELECT {}: {}", record.db, ledger_.select_error()));
    return true;
  }
  if (written_ != nullptr) written_->begin(record_, *header());
  payload_.reset();
  auto payload = rdb::DumpPayload::begin(record);
  if (payload) {
    payload_ = std::move(*payload);
  } else if (!may_use_commands()) {
    refuse(rdb::to_string(payload.error()));
    return true;
  }
  value_.clear();
  spool_.clear();
  return choose_way();
}

bool RestoreStream::may_use_commands() const noexcept {
  return options_.mode != RestoreMode::restore && record_.type->logical != rdb::LogicalType::module;
}

/// A string is one, whatever the commands: APPEND has the limit of RESTORE, but for what a payload
/// has around it.
bool RestoreStream::may_be_split(std::uint64_t value_bytes) const noexcept {
  constexpr std::uint64_t length_bytes = 5;  // of strings of 16 KiB to 4 GiB
  return record_.type->logical != rdb::LogicalType::string || value_bytes <= length_bytes ||
         value_bytes - length_bytes <= options_.limits.bulk_bytes_max;
}

/// Streams that commands cannot make exactly as they are go by RESTORE even so: what Redis 8.6
/// remembers of idempotent producers no command can tell, and where one of a server before 7.0 has
/// pending ids of deleted entries, no later server forgets again that these were deleted.
bool RestoreStream::prefers_commands() const noexcept {
  constexpr std::uint16_t counters_version = 10;
  constexpr std::uint16_t idempotency_version = 13;
  if (options_.mode != RestoreMode::commands) return false;
  if (record_.type->logical != rdb::LogicalType::stream) return true;
  if (record_.type->since >= idempotency_version) return false;
  return record_.type->since >= counters_version || options_.is_older.value_or(true);
}

/// Whether the target takes a RESTORE of a value of this size; it would drop the connection else.
bool RestoreStream::takes(std::uint64_t value_bytes) const noexcept {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  return value_bytes <= most - payload_->size(0) &&  // the length may come from a manifest
         payload_->size(value_bytes) <= options_.limits.argument_bytes_max();
}

bool RestoreStream::choose_way() {
  const std::uint64_t long_bytes = take_long_value_bytes();
  const bool restorable = payload_ && (long_bytes == 0 || takes(long_bytes));
  if (may_use_commands() && may_be_split(long_bytes) && (prefers_commands() || !restorable)) {
    begin_commands();
    return true;
  }
  if (!restorable) {
    refuse_size(long_bytes);
    return true;
  }
  fate_ = Fate::gather;
  if (long_bytes == 0) return true;
  // Nothing else is in flight while a command is sent in parts: should it never end, only its own
  // answer is missing.
  if (!flush() || !outlet_.settle()) return false;
  value_bytes_left_ = long_bytes;
  begin_restore(long_bytes);
  return true;
}

bool RestoreStream::on_value_part(std::span<const std::byte> part) {
  StreamFacts::on_value_part(part);
  if (fate_ == Fate::drop) return true;
  if (written_ != nullptr) written_->add(part);
  switch (fate_) {
    case Fate::drop: return true;
    case Fate::gather: return keep(part);
    case Fate::in_parts:
      if (part.size() > value_bytes_left_)
        return fail_manifest("a long value is longer than listed");
      value_bytes_left_ -= part.size();
      return send_part(part);
    case Fate::commands: return add_to_commands(part);
  }
  return true;
}

bool RestoreStream::keep(std::span<const std::byte> part) {
  if (spool_.size() == 0 && value_.size() + part.size() <= long_value_bytes) {
    value_.insert(value_.end(), part.begin(), part.end());
    return true;
  }
  if (options_.long_values != nullptr) {
    return fail_manifest("a long value is missing from its list");
  }
  spool_.append(value_);
  value_.clear();
  spool_.append(part);
  error_ = spool_.error();
  return !error_;
}

bool RestoreStream::on_record_end(std::uint64_t offset) {
  StreamFacts::on_record_end(offset);
  switch (fate_) {
    case Fate::drop: break;
    case Fate::gather:
      if (!send_kept()) return false;
      break;
    case Fate::in_parts:
      if (value_bytes_left_ > 0) return fail_manifest("a long value is shorter than listed");
      end_restore();
      break;
    case Fate::commands:
      if (!end_commands()) return false;
      break;
  }
  fate_ = Fate::drop;
  // Nothing may come between the pieces of a key.
  return (!goes_on_ && batch_.size_bytes() < batch_bytes_max_) || flush();
}

bool RestoreStream::send_kept() {
  const std::uint64_t size = spool_.size() + value_.size();
  if (takes(size)) {
    begin_restore(size);
    if (!replay([this](auto part) { return send_part(part); })) return false;
    end_restore();
    return true;
  }
  if (!may_use_commands() || !may_be_split(size)) {
    refuse_size(size);
    return true;
  }
  begin_commands();
  if (!replay([this](auto part) { return add_to_commands(part); })) return false;
  return fate_ == Fate::drop || end_commands();
}

/// Hands on what was gathered.
bool RestoreStream::replay(const std::function<bool(std::span<const std::byte>)>& take) {
  if (!value_.empty()) return take(value_);
  bool going = true;
  spool_.for_each_piece(0, spool_.size(), [&](auto piece) {
    going = take(piece);
    return going;
  });
  error_ = spool_.error();
  return going && !error_;
}

/// Nobody else has written to a target that was refused unless it was empty: what is there of keys
/// that may have been sent before is ours.
bool RestoreStream::replaces() const noexcept {
  return options_.policy == OnConflict::replace ||
         (sent_before_ && options_.policy == OnConflict::refuse);
}

/// RESTORE key ttl payload: up to where the value comes. Precondition: takes(value_bytes).
void RestoreStream::begin_restore(std::uint64_t value_bytes) {
  fate_ = Fate::in_parts;
  tag_ = ledger_.begin_key(record_.type->logical, record_.db);
  std::size_t argc = 4;
  if (replaces()) ++argc;
  if (options_.knows_absolute_ttl) {
    if (record_.expire_at_ms) ++argc;
    if (record_.lru_idle_s || record_.lfu_freq) argc += 2;
  }
  batch_.begin_command(argc);
  batch_.arg("RESTORE");
  batch_.arg(key_);
  batch_.arg(ttl_ms());
  batch_.begin_arg(payload_->size(value_bytes));
  batch_.arg_part(payload_->head());
}

bool RestoreStream::send_part(std::span<const std::byte> part) {
  payload_->add(part);
  batch_.arg_part(part);
  return batch_.size_bytes() < batch_bytes_max_ || flush(true);
}

void RestoreStream::end_restore() {
  batch_.arg_part(payload_->footer());
  if (replaces()) batch_.arg("REPLACE");
  if (options_.knows_absolute_ttl) {
    if (record_.expire_at_ms) batch_.arg("ABSTTL");
    if (record_.lru_idle_s) {
      batch_.arg("IDLETIME");
      batch_.arg(std::to_string(*record_.lru_idle_s));
    } else if (record_.lfu_freq) {
      batch_.arg("FREQ");
      batch_.arg(std::to_string(*record_.lfu_freq));
    }
  }
  batch_.end_command(tag_, key_);
  ledger_.end_key(tag_, 1, key_, written_ != nullptr ? written_->taken() : WrittenDigest::Sent{});
}

std::string RestoreStream::ttl_ms() const {
  if (!record_.expire_at_ms) return "0";
  if (options_.knows_absolute_ttl) return std::to_string(*record_.expire_at_ms);
  return std::to_string(std::max<std::int64_t>(1, *record_.expire_at_ms - unix_now_ms()));
}

void RestoreStream::begin_commands() {
  fate_ = Fate::commands;
  if (!commands_) {
    commands_ = std::make_unique<KeyCommands>(
        batch_, batch_bytes_max_, [this] { return on_full(); },
        KeyCommands::Target{.is_older = options_.is_older, .limits = options_.limits});
  }
  tag_ = ledger_.begin_key(record_.type->logical, record_.db);
  if (!replaces()) begun_at_ = batch_.mark();
  commands_->begin(record_, *header(), tag_, replaces());
}

bool RestoreStream::add_to_commands(std::span<const std::byte> part) {
  return fate_ == Fate::drop || commands_->feed(part) || broke_off();
}

bool RestoreStream::end_commands() {
  if (!commands_->end()) return broke_off();
  if (fate_ == Fate::drop) return true;
  ledger_.end_key(tag_, commands_->count(), key_,
                  written_ != nullptr ? written_->taken() : WrittenDigest::Sent{});
  doubt();
  return true;
}

/// The key cannot be made whole; false when that is for want of a way to the target.
bool RestoreStream::broke_off() {
  if (commands_->problem().empty()) return false;
  if (written_ != nullptr) written_->not_sent();
  ledger_.break_key(tag_, commands_->count(), key_, commands_->problem());
  doubt();
  fate_ = Fate::drop;
  return true;
}

/// The key is in the batch, and is sent only when the target has it not.
void RestoreStream::doubt() {
  if (!begun_at_) return;
  doubtful_.push_back({.tag = tag_, .key = key_, .from = *begun_at_, .to = batch_.mark()});
  begun_at_.reset();
}

/// The batch is full in the midst of a key.
bool RestoreStream::on_full() {
  const bool doubtful = begun_at_.has_value();
  const std::uint64_t tag = tag_;
  doubt();
  const bool asked = drop_existing();
  const bool withdrawn = doubtful && ledger_.is_over(tag);
  if (withdrawn) {
    if (written_ != nullptr) written_->not_sent();
    commands_->mute();
    fate_ = Fate::drop;
  }
  return (batch_.empty() || send(!withdrawn)) && asked;
}

/// Asks for the doubtful keys, and takes those out of the batch that are there.
bool RestoreStream::drop_existing() {
  if (doubtful_.empty()) return true;
  bool answered = ask_for_any();
  const bool any = !answered || ledger_.exists(0);
  if (answered && any) answered = ask_for_each();
  const std::string_view exists = sent_before_ ? key_may_be_part : key_exists;
  for (std::size_t i = doubtful_.size(); any && i-- > 0;) {
    if (answered && !ledger_.exists(i)) continue;
    batch_.erase(doubtful_[i].from, doubtful_[i].to);
    ledger_.withdraw_key(doubtful_[i].tag, doubtful_[i].key, answered ? exists : way_broke);
  }
  doubtful_.clear();
  return answered;
}

/// The first answer tells whether any of them may be there: mostly none is.
bool RestoreStream::ask_for_any() {
  ledger_.ask_exists(1);
  if (!outlet_.ask) return true;
  net::CommandBatch question;
  question.begin_command(1 + doubtful_.size());
  question.arg("EXISTS");
  for (const Doubtful& doubtful : doubtful_) question.arg(doubtful.key);
  question.end_command(CommandTag{.kind = CommandTag::Kind::exists}.pack(), "");
  return outlet_.ask(std::move(question));
}

bool RestoreStream::ask_for_each() {
  ledger_.ask_exists(doubtful_.size());
  net::CommandBatch questions;
  for (std::size_t i = 0; i < doubtful_.size(); ++i) {
    questions.begin_command(2);
    questions.arg("EXISTS");
    questions.arg(doubtful_[i].key);
    questions.end_command(CommandTag{.kind = CommandTag::Kind::exists, .number = i}.pack(),
                          doubtful_[i].key);
  }
  if (outlet_.ask) return outlet_.ask(std::move(questions));
  return outlet_.send(std::move(questions), false) && outlet_.settle();
}

void RestoreStream::refuse(std::string_view why) {
  if (written_ != nullptr) written_->not_sent();
  ledger_.count_failed(record_.type->logical, record_.db, key_, why);
  fate_ = Fate::drop;
}

void RestoreStream::refuse_size(std::uint64_t value_bytes) {
  const std::uint64_t size = payload_->size(value_bytes);
  const bool auto_helps = options_.mode == RestoreMode::restore && may_be_split(value_bytes) &&
                          record_.type->logical != rdb::LogicalType::module;
  const TargetLimits limits = may_use_commands() ? options_.limits.for_parts() : options_.limits;
  refuse(fmt::format("the value takes {} bytes, the target accepts {}: {}{}", size,
                     limits.argument_bytes_max(), limits.remedy(size),
                     auto_helps ? ", or use --mode auto" : ""));
}

bool RestoreStream::flush(bool goes_on) {
  const bool asked = drop_existing();
  return (batch_.empty() || send(goes_on)) && asked;
}

bool RestoreStream::send(bool goes_on) {
  goes_on_ = goes_on;
  const bool sent = outlet_.send(batch_.split(), goes_on);
  if (outlet_.batch_bytes_max) {
    batch_bytes_max_ = outlet_.batch_bytes_max();
    if (commands_) commands_->set_batch_bytes(batch_bytes_max_);
  }
  return sent;
}

bool RestoreStream::finish() { return flush() && outlet_.settle() && remove_partial(); }

/// Keys of which some commands were refused are there in part, and are taken away again.
bool RestoreStream::remove_partial() {
  for (const auto& [db, key] : ledger_.take_partial()) {
    if (!select(db)) return false;
    batch_.begin_command(2);
    batch_.arg("DEL");
    batch_.arg(key);
    batch_.end_command(CommandTag{.kind = CommandTag::Kind::removal}.pack(), key);
  }
  return flush() && outlet_.settle();
}

void RestoreStream::abandon(std::string_view why) {
  switch (fate_) {
    case Fate::drop: break;
    case Fate::gather: refuse(why); break;
    case Fate::in_parts:
      // The command cannot be ended, nor anything sent after it.
      if (written_ != nullptr) written_->not_sent();
      ledger_.break_key(tag_, 0, key_, why);
      fate_ = Fate::drop;
      return;
    case Fate::commands:
      commands_->give_up(std::string(why));
      if (written_ != nullptr) written_->not_sent();
      ledger_.break_key(tag_, commands_->count(), key_, why);
      doubt();
      break;
  }
  fate_ = Fate::drop;
  static_cast<void>(finish());  // what it cannot settle the ledger hears of
}

bool RestoreStream::fail_manifest(std::string_view why) {
  error_ =
      Error{.stage = Stage::storage,
            .code = "corrupt",
            .message = fmt::format("the backup's manifest does not fit its data: {}, record {}",
                                   why, record_.index)};
  return false;
}

}  // namespace sluice::engine
