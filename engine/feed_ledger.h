#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "rdb/converter.h"
#include "rdb/value_type.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// Accounts for every key that is fed: read = written + expired + failed, by type. What was fed
/// counts as written only once the target has acknowledged it; until then as failed.
///
/// A key that is fed without something it had counts as written, and is named in the losses.
class FeedLedger {
 public:
  static constexpr std::size_t failures_max = 1000;  ///< And as many losses.

  void count_expired(rdb::LogicalType type);
  void count_fed(rdb::LogicalType type);
  /// What a converter could not say in the version of the target, told before count_fed().
  void on_loss(const rdb::ConversionLoss& loss);

  [[nodiscard]] std::uint64_t fed() const noexcept { return fed_; }
  /// Of those fed or left out: the keys that the target is to have.
  [[nodiscard]] std::uint64_t keys_to_have() const noexcept { return fed_ - left_out_; }

  /// Writes totals, failures and losses into a result. `taken`: the target has all that was fed.
  void report(RestoreResult& result, bool taken) const;

 private:
  struct Counts {
    std::uint64_t fed = 0;
    std::uint64_t expired = 0;
    std::uint64_t failed = 0;  // of those fed
  };

  void add_failure(std::uint64_t db, std::string key, std::string message);

  std::array<Counts, rdb::logical_type_count> types_{};
  std::uint64_t fed_ = 0;
  std::uint64_t left_out_ = 0;
  bool current_failed_ = false;
  std::uint64_t functions_failed_ = 0;
  std::vector<RestoreFailure> failures_;
  std::uint64_t failure_count_ = 0;
  std::vector<RdbLoss> losses_;
  std::uint64_t loss_count_ = 0;
};

}  // namespace sluice::engine
