#include "engine/plan_stream.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "rdb/dump.h"

namespace sluice::engine {

PlanStream::PlanStream(Target target, std::int64_t now_ms, PlanLedger& ledger, Outlet outlet)
    : target_(target),
      now_ms_(now_ms),
      ledger_(ledger),
      outlet_(std::move(outlet)),
      reader_(measure_, {.texts = ValueMeasure::texts, .sizes = true, .strict = false}) {
  measure_.set_model(target.model);
}

/// What the target says decides about the keys that follow, hence it is waited for.
bool PlanStream::select(std::uint64_t db) {
  if (db_ == db) return true;
  if (!finish()) return false;
  db_ = db;
  batch_.begin_command(2);
  batch_.arg("SELECT");
  batch_.arg(std::to_string(db));
  batch_.end_command(PlanLedger::select_tag, "");
  return finish();
}

bool PlanStream::finish() {
  return (batch_.empty() || outlet_.send(batch_.split())) && outlet_.settle();
}

void PlanStream::drop(std::string_view why) {
  is_planned_ = false;
  ledger_.count_failed(planned_.type, planned_.db, key_, why);
}

bool PlanStream::on_record_begin(const rdb::RecordHeader& record) {
  StreamFacts::on_record_begin(record);
  is_planned_ = false;
  planned_ = {.type = record.type->logical, .db = record.db, .memory_bytes = 0};
  key_.assign(record.key.begin(), record.key.end());
  ledger_.count_read(planned_.type);
  if (record.expire_at_ms && *record.expire_at_ms <= now_ms_) {
    ledger_.count_expired(planned_.type);
    return true;
  }
  if (!select(record.db)) return false;
  if (!ledger_.select_error().empty()) {
    drop(fmt::format("SELECT {}: {}", record.db, ledger_.select_error()));
    return true;
  }
  const auto payload = rdb::DumpPayload::begin(record);
  if (!payload) {
    drop(rdb::to_string(payload.error()));
    return true;
  }
  payload_bytes_ = payload->size(0);
  is_planned_ = is_readable_ = true;
  expires_ = record.expire_at_ms.has_value();
  measure_.begin(record, header()->version);
  reader_.begin(record, *header());
  return true;
}

bool PlanStream::on_value_part(std::span<const std::byte> part) {
  StreamFacts::on_value_part(part);
  // What cannot be read counts as what it is as bytes; the target decides whether it takes it.
  if (is_planned_ && is_readable_) is_readable_ = reader_.feed(part).has_value();
  return true;
}

/// A string is one, whatever the commands (RestoreStream).
bool PlanStream::is_too_large() const noexcept {
  if (payload_bytes_ + value_bytes() <= target_.limits.argument_bytes_max()) return false;
  if (!target_.by_commands || planned_.type == rdb::LogicalType::module) return true;
  constexpr std::uint64_t length_bytes = 5;
  return planned_.type == rdb::LogicalType::string &&
         value_bytes() > target_.limits.bulk_bytes_max + length_bytes;
}

bool PlanStream::on_record_end(std::uint64_t offset) {
  StreamFacts::on_record_end(offset);
  if (!is_planned_) return true;
  if (is_too_large()) {
    drop(fmt::format("the value takes {} bytes, the target accepts {}",
                     payload_bytes_ + value_bytes(), target_.limits.argument_bytes_max()));
    return true;
  }
  is_readable_ = is_readable_ && reader_.end().has_value();
  planned_.memory_bytes = is_readable_ ? measure_.memory_bytes(value_bytes()) : value_bytes();
  if (expires_) ++expiring_;
  return ask();
}

bool PlanStream::ask() {
  if (target_.is_empty) {
    ledger_.decide(planned_, key_, false);
    return true;
  }
  batch_.begin_command(2);
  batch_.arg("EXISTS");
  batch_.arg(key_);
  batch_.end_command(PlanLedger::key_tag, key_);
  ledger_.asked(planned_);
  return batch_.size_bytes() < batch_bytes || outlet_.send(batch_.split());
}

}  // namespace sluice::engine
