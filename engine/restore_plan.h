#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/convert_stage.h"
#include "engine/filter_stream.h"
#include "engine/io_thread.h"
#include "engine/key_chooser.h"
#include "engine/plan_ledger.h"
#include "engine/plan_stream.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/restore_target.h"
#include "engine/server_link.h"
#include "net/target_writer.h"
#include "sluice/job.h"
#include "sluice/restore.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

struct PlanOptions {
  OnConflict on_conflict = OnConflict::refuse;
  RestoreMode mode = RestoreMode::automatic;
  bool flush = false;   ///< The target would be emptied first.
  bool merges = false;  ///< Several databases go to one.
};

/// A dry run, wherever the dataset is read from: what a Transfer would do to a target, which is
/// asked and not written.
///
///     PlanRun plan(options, link, target, io, job);
///     rdb::Parser parser(plan.entry());
///     … parse …
///     auto done = plan.finish(read, result);
///
/// `target` was looked at; its keys are those that would be found.
/// Threads: the job's; the I/O thread's within. Lifetime: all that it is made of outlives it.
class PlanRun {
 public:
  PlanRun(const PlanOptions& options, const ServerLink& link, const ReadyTarget& target,
          IoThread& io, const JobContext& job);

  /// Takes the stream.
  [[nodiscard]] rdb::Handler& entry() noexcept { return convert_; }
  [[nodiscard]] FilterTally& tally() noexcept { return ledger_; }
  /// Keys that would be written, so far.
  [[nodiscard]] std::uint64_t planned() const { return ledger_.planned(); }

  /// After the last byte, `read` being what the reader of the stream says: waits for the answers
  /// and fills in what would happen. Errors: those of `read`, and what keeps the target from
  /// answering.
  [[nodiscard]] Result<void> finish(Result<void> read, RestoreResult& result);

 private:
  static constexpr std::size_t losses_max = 1000;

  PlanStream::Outlet outlet();
  bool keep(const net::Result<void>& outcome);
  void on_loss(const rdb::ConversionLoss& loss);
  Result<void> report(RestoreResult& result);
  void take_memory(std::string_view info, RestorePlan& plan) const;
  void add_notes(const RestorePlan& plan, RestoreResult& result) const;

  const PlanOptions options_;
  const ServerLink& link_;
  const ReadyTarget& target_;
  IoThread& io_;
  const JobContext& job_;
  std::optional<net::Error> broken_;
  std::vector<RdbLoss> losses_;
  std::uint64_t loss_count_ = 0;
  PlanLedger ledger_;
  net::TargetWriter writer_;
  PlanStream stream_;
  ConvertStage convert_;
};

/// A dry run: fills `result` in with what a restore would do. `target` was looked at; its keys are
/// those that a restore would find.
///
/// Errors: what keeps the backup from being read or the target from answering.
[[nodiscard]] Result<void> plan_restore(const storage::Repository& repository,
                                        const OpenBackup& backup, const KeyChooser& chooser,
                                        const RestoreOptions& options, const ServerLink& link,
                                        const ReadyTarget& target, IoThread& io,
                                        ProgressMeter& meter, const JobContext& job,
                                        RestoreResult& result);

}  // namespace sluice::engine
