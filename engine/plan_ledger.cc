#include "engine/plan_ledger.h"

#include <xxhash.h>

#include "net/error.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

constexpr std::size_t failures_max = 1000;
// What RESTORE would say.
constexpr std::string_view busy = "BUSYKEY Target key name already exists.";

}  // namespace

void PlanLedger::count_failed(rdb::LogicalType type, std::uint64_t db,
                              std::span<const std::byte> key, std::string_view why) {
  ++of(type).failed;
  ++failure_count_;
  if (failures_.size() >= failures_max) return;
  failures_.push_back({.db = db, .key = rdb::escape(key), .message = std::string(why)});
}

void PlanLedger::left_out(rdb::LogicalType type) {
  ++of(type).read;
  ++of(type).filtered;
}

void PlanLedger::refused(rdb::LogicalType type, std::uint64_t db, std::span<const std::byte> key,
                         std::string_view why) {
  count_read(type);
  count_failed(type, db, key, why);
}

bool PlanLedger::is_new_name(std::uint64_t db, std::span<const std::byte> name) {
  if (!keep_names_ || lost_names()) return true;
  return names_.insert(XXH3_64bits_withSeed(name.data(), name.size(), db)).second;
}

void PlanLedger::decide(const Planned& key, std::span<const std::byte> name, bool exists) {
  const bool is_new = is_new_name(key.db, name);
  if ((!exists && is_new) || policy_ == OnConflict::replace) {
    ++of(key.type).written;
    PlannedWrites& writes = writes_[static_cast<std::size_t>(key.type)];
    ++(exists ? writes.replaced : writes.added);
    writes.memory_bytes += key.memory_bytes;
  } else if (policy_ == OnConflict::skip) {
    ++of(key.type).skipped;
  } else {
    count_failed(key.type, key.db, name, busy);
  }
}

void PlanLedger::on_reply(std::uint64_t tag, std::span<const std::byte> key,
                          const net::Reply& reply) {
  if (tag == select_tag) {
    select_error_ = reply.is_error() ? net::printable(reply.text) : std::string();
    return;
  }
  const Planned planned = asked_.front();
  asked_.pop_front();
  if (reply.is_error()) {
    count_failed(planned.type, planned.db, key, net::printable(reply.text));
  } else {
    decide(planned, key, reply.integer != 0);
  }
}

void PlanLedger::on_unanswered(std::uint64_t tag, std::span<const std::byte> key) {
  if (tag == select_tag) return;
  const Planned planned = asked_.front();
  asked_.pop_front();
  count_failed(planned.type, planned.db, key, "asked for, but the answer did not come");
}

std::uint64_t PlanLedger::planned() const {
  std::uint64_t planned = 0;
  for (const Ledger& ledger : types_) planned += ledger.written;
  return planned;
}

void PlanLedger::report(RestoreResult& result, RestorePlan& plan) const {
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const Ledger& ledger = types_[i];
    if (ledger == Ledger{}) continue;
    const std::string type(to_string(static_cast<rdb::LogicalType>(i)));
    result.by_type.emplace(type, ledger);
    result.total.read += ledger.read;
    result.total.written += ledger.written;
    result.total.filtered += ledger.filtered;
    result.total.skipped += ledger.skipped;
    result.total.expired += ledger.expired;
    result.total.failed += ledger.failed;
    if (writes_[i] == PlannedWrites{}) continue;
    plan.by_type.emplace(type, writes_[i]);
    plan.total += writes_[i];
  }
  result.failures = failures_;
  result.failure_count = failure_count_;
}

}  // namespace sluice::engine
