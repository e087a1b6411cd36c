#include "engine/feed_ledger.h"

#include <utility>

#include "engine/conversion_loss.h"

namespace sluice::engine {

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
  RdbLoss described = describe(loss);
  if (loss.of == rdb::ConversionLoss::Of::function) {
    ++functions_failed_;
    add_failure(0, "function library " + described.name, "the target knows no functions");
    return;
  }
  if (loss.of == rdb::ConversionLoss::Of::key && loss.losses.has(rdb::Loss::value)) {
    current_failed_ = true;
    ++left_out_;
    add_failure(loss.db, described.name, std::move(described.message));
    return;
  }
  ++loss_count_;
  if (losses_.size() < failures_max) losses_.push_back(std::move(described));
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
  result.losses = losses_;
  result.loss_count = loss_count_;
}

}  // namespace sluice::engine
