#include "engine/feed_ledger.h"

#include <fmt/format.h>

#include <utility>

#include "rdb/error.h"
#include "rdb/escape.h"

namespace sluice::engine {
namespace {

/// What the target's version cannot say of a key, in words; empty when nothing counts.
std::string words(const rdb::Losses& losses) {
  std::string said;
  for (std::size_t number = 0; number < rdb::loss_count; ++number) {
    const auto loss = static_cast<rdb::Loss>(number);
    if (!losses.has(loss) || loss == rdb::Loss::active_times) continue;
    if (!said.empty()) said += "; ";
    said += rdb::to_string(loss);
  }
  return said;
}

}  // namespace

void FeedLedger::count_expired(rdb::LogicalType type) {
  ++types_[static_cast<std::size_t>(type)].expired;
}

void FeedLedger::count_fed(rdb::LogicalType type) {
  Counts& counts = types_[static_cast<std::size_t>(type)];
  ++counts.fed;
  ++fed_;
  if (std::exchange(current_failed_, false)) ++counts.failed;
}

void FeedLedger::on_loss(const rdb::ConversionLoss& loss) {
  switch (loss.of) {
    case rdb::ConversionLoss::Of::function:
      ++functions_failed_;
      add_failure(0, "function library " + rdb::escape(loss.name),
                  "the target is too old for function libraries");
      return;
    case rdb::ConversionLoss::Of::module_aux: ++module_aux_lost_; return;
    case rdb::ConversionLoss::Of::key: break;
  }
  if (loss.losses.has(rdb::Loss::active_times)) ++active_times_lost_;
  const std::string lost = words(loss.losses);
  if (lost.empty()) return;
  current_failed_ = true;
  std::string message = "written, but the target's version cannot hold: " + lost;
  if (loss.losses.has(rdb::Loss::value)) {
    ++left_out_;
    message = loss.error != nullptr
                  ? rdb::to_string(*loss.error)
                  : "the target's version has no such value (" + std::string(loss.type->name) + ")";
  }
  add_failure(loss.db, rdb::escape(loss.name), std::move(message));
}

void FeedLedger::add_failure(std::uint64_t db, std::string key, std::string message) {
  ++failure_count_;
  if (failures_.size() < failures_max)
    failures_.push_back({.db = db, .key = std::move(key), .message = std::move(message)});
}

void FeedLedger::report(RestoreResult& result, bool taken) const {
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const Counts& counts = types_[i];
    if (counts.fed + counts.expired == 0) continue;
    const std::uint64_t failed = taken ? counts.failed : counts.fed;
    Ledger& ledger = result.by_type[std::string(to_string(static_cast<rdb::LogicalType>(i)))];
    ledger.read = counts.fed + counts.expired;
    ledger.expired = counts.expired;
    ledger.failed = failed;
    ledger.written = counts.fed - failed;
    result.total.read += ledger.read;
    result.total.expired += ledger.expired;
    result.total.failed += ledger.failed;
    result.total.written += ledger.written;
  }
  result.functions_failed = functions_failed_;
  result.failures = failures_;
  result.failure_count = failure_count_;
  if (active_times_lost_ > 0) {
    result.notes.push_back(fmt::format(
        "{} stream(s): the target's version cannot say when consumers last got something",
        active_times_lost_));
  }
  if (module_aux_lost_ > 0) {
    result.notes.push_back(
        "data that modules keep outside of keys were not carried over: they are not converted");
  }
}

}  // namespace sluice::engine
