#include "engine/restore_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "engine/clock.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

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

RestoreStream::RestoreStream(const Manifest& manifest, OnConflict policy, Target target,
                             RestoreLedger& ledger, CommandOutlet outlet, WrittenDigest* written)
    : manifest_(manifest),
      policy_(policy),
      target_(target),
      ledger_(ledger),
      outlet_(std::move(outlet)),
      written_(written) {}

// Scripts of servers up to 6.2, so that EVALSHA goes on working.
bool RestoreStream::on_aux(std::span<const std::byte> key, std::span<const std::byte> value) {
  StreamFacts::on_aux(key, value);
  const std::string_view name(reinterpret_cast<const char*>(key.data()), key.size());
  if (name != "lua") return true;
  batch_.begin_command(3);
  batch_.arg("SCRIPT");
  batch_.arg("LOAD");
  batch_.arg(value);
  batch_.end_command(CommandTag{.kind = CommandTag::Kind::script, .type = {}, .db = 0}.pack(), "");
  return batch_.size_bytes() < batch_bytes || flush();
}

bool RestoreStream::on_function(std::span<const std::byte> source) {
  StreamFacts::on_function(source);
  const bool replace = policy_ == OnConflict::replace;
  batch_.begin_command(replace ? 4 : 3);
  batch_.arg("FUNCTION");
  batch_.arg("LOAD");
  if (replace) batch_.arg("REPLACE");
  batch_.arg(source);
  batch_.end_command(CommandTag{.kind = CommandTag::Kind::function, .type = {}, .db = 0}.pack(),
                     library_name(source));
  return batch_.size_bytes() < batch_bytes || flush();
}

// A SELECT that fails must not be overtaken: the keys after it would land in another database.
bool RestoreStream::select(std::uint64_t db) {
  if (db_ == db) return true;
  if (!flush() || !outlet_.settle()) return false;
  db_ = db;
  batch_.begin_command(2);
  batch_.arg("SELECT");
  batch_.arg(std::to_string(db));
  batch_.end_command(CommandTag{.kind = CommandTag::Kind::select, .type = {}, .db = db}.pack(), "");
  if (!flush() || !outlet_.settle()) return false;
  db_usable_ = ledger_.select_error().empty();
  return true;
}

/// The length of the current record's value when it is a long one, else 0.
std::uint64_t RestoreStream::take_long_value_bytes() {
  const auto& list = manifest_.long_values;
  while (next_long_value_ < list.size() && list[next_long_value_].record < record_.index) {
    ++next_long_value_;
  }
  const bool listed =
      next_long_value_ < list.size() && list[next_long_value_].record == record_.index;
  return listed ? list[next_long_value_].value_bytes : 0;
}

bool RestoreStream::on_record_begin(const rdb::RecordHeader& record) {
  StreamFacts::on_record_begin(record);
  ledger_.count_read(record.type->logical);
  fate_ = Fate::drop;
  record_ = record;
  key_.assign(record.key.begin(), record.key.end());
  record_.key = key_;
  record_.key_meta = {};
  if (record.expire_at_ms && *record.expire_at_ms <= unix_now_ms()) {
    ledger_.count_expired(record.type->logical);
    return true;
  }
  if (!select(record.db)) {
    refuse("not sent: the way to the target broke");
    return false;
  }
  if (!db_usable_) {
    refuse(fmt::format("SELECT {}: {}", record.db, ledger_.select_error()));
    return true;
  }
  auto payload = rdb::DumpPayload::begin(record);
  if (!payload) {
    refuse(rdb::to_string(payload.error()));
    return true;
  }
  payload_ = std::move(*payload);
  value_bytes_left_ = take_long_value_bytes();
  value_.clear();
  fate_ = Fate::send_whole;
  if (written_ != nullptr) written_->begin(record_, *header());
  return value_bytes_left_ == 0 || begin_long_value(value_bytes_left_);
}

// Nothing else is in flight while a command is sent in parts: should it never end, only its own
// answer is missing.
bool RestoreStream::begin_long_value(std::uint64_t value_bytes) {
  if (!flush() || !outlet_.settle()) return false;
  begin_command(value_bytes);
  return true;
}

bool RestoreStream::on_value_part(std::span<const std::byte> part) {
  StreamFacts::on_value_part(part);
  if (fate_ != Fate::drop && written_ != nullptr) written_->add(part);
  switch (fate_) {
    case Fate::drop: return true;
    case Fate::send_whole:
      if (value_.size() + part.size() > long_value_bytes) {
        return fail_manifest("a long value is missing from its list");
      }
      value_.insert(value_.end(), part.begin(), part.end());
      return true;
    case Fate::send_in_parts:
      if (part.size() > value_bytes_left_)
        return fail_manifest("a long value is longer than listed");
      value_bytes_left_ -= part.size();
      payload_->add(part);
      batch_.arg_part(part);
      return batch_.size_bytes() < batch_bytes || flush();
  }
  return true;
}

bool RestoreStream::on_record_end(std::uint64_t offset) {
  StreamFacts::on_record_end(offset);
  if (fate_ == Fate::drop) return true;
  if (fate_ == Fate::send_in_parts && value_bytes_left_ > 0) {
    return fail_manifest("a long value is shorter than listed");
  }
  if (fate_ == Fate::send_whole) {
    begin_command(value_.size());
    if (fate_ == Fate::drop) return true;
    payload_->add(value_);
    batch_.arg_part(value_);
  }
  end_command();
  if (written_ != nullptr) written_->sent();
  fate_ = Fate::drop;
  return batch_.size_bytes() < batch_bytes || flush();
}

/// RESTORE key ttl payload: up to where the value comes. Refuses the key instead when the target
/// would drop the connection over it.
void RestoreStream::begin_command(std::uint64_t value_bytes) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const bool sane = value_bytes <= most - payload_->size(0);  // the length may come from a manifest
  const std::uint64_t size = sane ? payload_->size(value_bytes) : most;
  if (size > target_.bulk_bytes_max) {
    fate_ = Fate::drop;
    if (written_ != nullptr) written_->not_sent();
    refuse(
        fmt::format("the value takes {} bytes, the target accepts {}: raise proto-max-bulk-len "
                    "there (CONFIG SET proto-max-bulk-len {})",
                    size, target_.bulk_bytes_max, size));
    return;
  }
  fate_ = Fate::send_in_parts;
  std::size_t argc = 4;
  if (policy_ == OnConflict::replace) ++argc;
  if (target_.knows_absolute_ttl) {
    if (record_.expire_at_ms) ++argc;
    if (record_.lru_idle_s || record_.lfu_freq) argc += 2;
  }
  batch_.begin_command(argc);
  batch_.arg("RESTORE");
  batch_.arg(key_);
  batch_.arg(ttl_ms());
  batch_.begin_arg(size);
  batch_.arg_part(payload_->head());
}

void RestoreStream::end_command() {
  batch_.arg_part(payload_->footer());
  if (policy_ == OnConflict::replace) batch_.arg("REPLACE");
  if (target_.knows_absolute_ttl) {
    if (record_.expire_at_ms) batch_.arg("ABSTTL");
    if (record_.lru_idle_s) {
      batch_.arg("IDLETIME");
      batch_.arg(std::to_string(*record_.lru_idle_s));
    } else if (record_.lfu_freq) {
      batch_.arg("FREQ");
      batch_.arg(std::to_string(*record_.lfu_freq));
    }
  }
  const CommandTag tag{
      .kind = CommandTag::Kind::key, .type = record_.type->logical, .db = record_.db};
  batch_.end_command(tag.pack(), key_);
}

std::string RestoreStream::ttl_ms() const {
  if (!record_.expire_at_ms) return "0";
  if (target_.knows_absolute_ttl) return std::to_string(*record_.expire_at_ms);
  return std::to_string(std::max<std::int64_t>(1, *record_.expire_at_ms - unix_now_ms()));
}

void RestoreStream::refuse(std::string_view why) {
  ledger_.count_failed(record_.type->logical, record_.db, key_, why);
}

bool RestoreStream::flush() { return batch_.empty() || outlet_.send(batch_.split()); }

bool RestoreStream::finish() { return flush() && outlet_.settle(); }

void RestoreStream::abandon(std::string_view why) {
  const bool in_parts = fate_ == Fate::send_in_parts;
  if (fate_ != Fate::drop) refuse(why);
  fate_ = Fate::drop;
  if (!in_parts) static_cast<void>(finish());  // what it cannot settle the ledger hears of
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
