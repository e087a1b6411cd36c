#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/plan_ledger.h"
#include "engine/stream_facts.h"
#include "engine/target_limits.h"
#include "engine/value_measure.h"
#include "net/command_batch.h"
#include "rdb/value_reader.h"

namespace sluice::engine {

/// Measures the records of a dataset, and asks a target which of the keys it has. Sends SELECT and
/// EXISTS, nothing else.
///
/// Memory:  a ValueReader's, and one batch of questions.
/// Threads: one at a time.
class PlanStream final : public StreamFacts {
 public:
  static constexpr std::size_t batch_bytes = 256 << 10;

  struct Target {
    bool is_empty = false;  ///< Or will be: it need not be asked.
    TargetLimits limits = {};
    bool by_commands = false;  ///< What is larger goes by commands, where it can.
    MemoryModel model;
  };
  /// The way to the target. Both block; false means that it is broken.
  struct Outlet {
    std::function<bool(net::CommandBatch)> send;
    std::function<bool()> settle;
  };

  PlanStream(Target target, std::int64_t now_ms, PlanLedger& ledger, Outlet outlet);

  bool on_record_begin(const rdb::RecordHeader& record) override;
  bool on_value_part(std::span<const std::byte> part) override;
  bool on_record_end(std::uint64_t offset) override;

  /// Waits for all answers.
  [[nodiscard]] bool finish();
  /// Keys that would be sent and expire.
  [[nodiscard]] std::uint64_t expiring() const noexcept { return expiring_; }

 private:
  bool select(std::uint64_t db);
  [[nodiscard]] bool is_too_large() const noexcept;
  void drop(std::string_view why);
  bool ask();

  Target target_;
  std::int64_t now_ms_;
  PlanLedger& ledger_;
  Outlet outlet_;
  ValueMeasure measure_;
  rdb::ValueReader reader_;
  net::CommandBatch batch_;
  std::optional<std::uint64_t> db_;  // selected, or tried
  std::uint64_t expiring_ = 0;

  bool is_planned_ = false;  // the current record
  bool is_readable_ = true;  // its value
  bool expires_ = false;
  PlanLedger::Planned planned_;
  std::uint64_t payload_bytes_ = 0;  // without the value
  std::vector<std::byte> key_;
};

}  // namespace sluice::engine
