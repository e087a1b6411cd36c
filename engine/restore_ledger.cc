#include "engine/restore_ledger.h"

#include "rdb/escape.h"

namespace sluice::engine {

std::uint64_t CommandTag::pack() const noexcept {
  return static_cast<std::uint64_t>(kind) | static_cast<std::uint64_t>(type) << 8 | db << 16;
}

CommandTag CommandTag::unpack(std::uint64_t tag) noexcept {
  return {.kind = static_cast<Kind>(tag & 0xff),
          .type = static_cast<rdb::LogicalType>(tag >> 8 & 0xff),
          .db = tag >> 16};
}

void RestoreLedger::count_failed(rdb::LogicalType type, std::uint64_t db,
                                 std::span<const std::byte> key, std::string_view why) {
  ++of(type).failed;
  add_failure(db, rdb::escape(key), why);
}

void RestoreLedger::on_reply(std::uint64_t tag, std::span<const std::byte> key,
                             const net::Reply& reply) {
  const CommandTag about = CommandTag::unpack(tag);
  switch (about.kind) {
    case CommandTag::Kind::key: on_key_reply(about, key, reply); break;
    case CommandTag::Kind::function: on_function_reply(key, reply); break;
    case CommandTag::Kind::script: break;  // the script cache is a convenience, not data
    case CommandTag::Kind::select:
      select_error_ = reply.is_error() ? net::printable(reply.text) : std::string();
      break;
  }
}

void RestoreLedger::on_key_reply(const CommandTag& tag, std::span<const std::byte> key,
                                 const net::Reply& reply) {
  Ledger& ledger = of(tag.type);
  if (written_ != nullptr) written_->answered(!reply.is_error());
  if (!reply.is_error()) {
    ++ledger.written;
  } else if (policy_ == OnConflict::skip && reply.text.starts_with("BUSYKEY")) {
    ++ledger.skipped;
  } else {
    ++ledger.failed;
    add_failure(tag.db, rdb::escape(key), net::printable(reply.text));
  }
}

void RestoreLedger::on_function_reply(std::span<const std::byte> library, const net::Reply& reply) {
  if (!reply.is_error()) {
    ++functions_;
    return;
  }
  if (policy_ == OnConflict::skip && reply.text.find("already exists") != std::string::npos) return;
  ++functions_failed_;
  add_failure(0, "function library " + rdb::escape(library), net::printable(reply.text));
}

void RestoreLedger::on_unanswered(std::uint64_t tag, std::span<const std::byte> key) {
  const CommandTag about = CommandTag::unpack(tag);
  if (about.kind != CommandTag::Kind::key) return;
  if (written_ != nullptr) written_->answered(false);
  ++of(about.type).failed;
  add_failure(about.db, rdb::escape(key), "sent, but its answer did not come");
}

std::uint64_t RestoreLedger::written() const {
  std::uint64_t written = 0;
  for (const Ledger& ledger : types_) written += ledger.written;
  return written;
}

void RestoreLedger::report(RestoreResult& result) const {
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const Ledger& ledger = types_[i];
    if (ledger == Ledger{}) continue;
    result.by_type.emplace(to_string(static_cast<rdb::LogicalType>(i)), ledger);
    result.total.read += ledger.read;
    result.total.written += ledger.written;
    result.total.filtered += ledger.filtered;
    result.total.skipped += ledger.skipped;
    result.total.expired += ledger.expired;
    result.total.failed += ledger.failed;
  }
  result.functions = functions_;
  result.functions_failed = functions_failed_;
  result.failures = failures_;
  result.failure_count = failure_count_;
}

void RestoreLedger::add_failure(std::uint64_t db, std::string key, std::string_view message) {
  ++failure_count_;
  if (failures_.size() >= failures_max) return;
  failures_.push_back({.db = db, .key = std::move(key), .message = std::string(message)});
}

}  // namespace sluice::engine
