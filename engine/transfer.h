#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cluster_way.h"
#include "engine/convert_stage.h"
#include "engine/import_mode.h"
#include "engine/io_thread.h"
#include "engine/latency_watch.h"
#include "engine/progress_meter.h"
#include "engine/restore_ledger.h"
#include "engine/restore_stream.h"
#include "engine/restore_target.h"
#include "engine/server_link.h"
#include "engine/target_lanes.h"
#include "engine/target_way.h"
#include "engine/written_digest.h"
#include "sluice/job.h"
#include "sluice/restore.h"

namespace sluice::engine {

struct TransferOptions {
  OnConflict on_conflict = OnConflict::refuse;
  RestoreMode mode = RestoreMode::automatic;  ///< Not feed.
  unsigned connections = 1;
  std::uint64_t bytes_per_second = 0;
  std::uint64_t inflight_bytes_max = 0;
  double latency_ms_max = 0;  ///< Of PINGs, 0: whatever they take; see LatencyWatch.
  /// Servers that are watched beside the target.
  std::vector<ServerLink> watched = {};
  Proof verify = Proof::automatic;
  /// The source's commands follow, which delete what expires there: where the target has an
  /// import-mode it goes on until end_import(), and keys are sent whose time has come.
  bool is_followed = false;
  /// An earlier one into this target was cut short, and may have left that import-mode on.
  bool was_cut_short = false;
  /// What to do after a failure that leaves a part of the dataset in the target.
  std::string_view remedy = "run this again with --on-conflict replace to complete it";
  /// As for RestoreStream: of the stream as it comes. Null when they are not known.
  const std::vector<LongValue>* long_values = nullptr;
};

/// How far a transfer has come: enough for another one to go on.
struct TransferState {
  std::int64_t start_ms = 0;  ///< When the first of them began, Unix time.
  RestoreResult counts;       ///< As Transfer::report() gives them.
  /// Of what was written, by windows from start_ms; none when that is not known: then it is not
  /// proven either.
  std::optional<DigestWindows::Sums> written;
  std::string written_gap;  ///< Why it is not known after all; empty when it is.
};

/// The way of a dataset into a target by commands, wherever it is read from; the target is a server
/// or a cluster, as `target` says:
///
///     Transfer transfer(options, address, link, std::move(target), io, meter, job);
///     rdb::Parser parser(transfer.entry());
///     … parse …
///     if (!transfer.finish()) …      // or transfer.abandon(why)
///     transfer.report(result);
///     transfer.prove(result);
///
/// Memory:   80 MiB, and inflight_bytes_max.
/// Threads:  the job's; the I/O thread's within.
/// Lifetime: all that it is made of outlives it.
class Transfer {
 public:
  Transfer(const TransferOptions& options, const ServerAddress& address, const ServerLink& link,
           ReadyTarget target, IoThread& io, ProgressMeter& meter, const JobContext& job,
           const TransferState* resumed = nullptr);

  /// Takes the stream.
  [[nodiscard]] rdb::Handler& entry() noexcept { return convert_; }
  [[nodiscard]] RestoreLedger& ledger() noexcept { return ledger_; }

  /// After the last byte: waits for all answers. False when the way to the target is broken.
  [[nodiscard]] bool finish();
  /// Between records: the same. Then state() tells all that came.
  [[nodiscard]] bool rest() { return convert_.flush() && stream_.finish(); }
  [[nodiscard]] TransferState state() const;
  /// Between records: whether those that come may have been sent before, by a transfer that did not
  /// live to say so. False as of rest().
  [[nodiscard]] bool set_doubtful(bool doubtful);
  /// The stream ended early.
  void abandon(std::string_view why);
  /// Why, `read` being what the reader of the stream says.
  [[nodiscard]] Error why_ended(const Error& read) const;
  /// Why finish() said false.
  [[nodiscard]] Error broken_or_stopped() const;

  /// Counts, failures and losses.
  void report(RestoreResult& result) const;
  /// Whether the target is in import-mode.
  [[nodiscard]] bool imports() const noexcept { return import_.is_on(); }
  /// It is followed no longer: the target is to delete keys by itself again.
  void end_import(RestoreResult& result);
  /// Reads the target back, if that is wanted and can be done, and notes what is missing there.
  void prove(RestoreResult& result);

 private:
  static constexpr std::size_t losses_max = 1000;

  std::unique_ptr<WrittenDigest> make_written(const TransferState* resumed);
  std::unique_ptr<LatencyWatch> make_watch();
  std::unique_ptr<TargetWay> make_way();
  [[nodiscard]] bool asks() const;
  std::vector<std::unique_ptr<net::Connection>> connect();
  [[nodiscard]] ImportMode::Holds holds() const;
  void end_sending();
  [[nodiscard]] LaneOptions lane_options() const;
  [[nodiscard]] ClusterWayOptions cluster_options() const;
  [[nodiscard]] Result<std::uint64_t> count_keys();
  [[nodiscard]] bool is_lost(const Error& error) const;
  [[nodiscard]] RestoreStream::Options stream_options() const;
  void on_loss(const rdb::ConversionLoss& loss);
  void note_missing(RestoreResult& result);

  const TransferOptions options_;
  const ServerAddress& address_;
  const ServerLink& link_;
  ReadyTarget target_;
  IoThread& io_;
  ProgressMeter& meter_;
  const JobContext& job_;
  const std::int64_t start_ms_;
  const bool was_empty_;  // the target, before the first transfer
  std::string why_unproven_;
  std::vector<RdbLoss> losses_;
  std::uint64_t loss_count_ = 0;
  std::unique_ptr<WrittenDigest> written_;
  RestoreLedger ledger_;
  ImportMode import_;
  std::unique_ptr<LatencyWatch> watch_;  // null when nothing is watched
  ClusterWay* cluster_ = nullptr;        // that way_ is, or
  TargetLanes* lanes_ = nullptr;         // this
  std::unique_ptr<TargetWay> way_;
  RestoreStream stream_;
  ConvertStage convert_;
  bool doubtful_ = false;
};

/// Notes data of modules that are in no key, which no command brings.
void note_module_aux(std::uint64_t records, RestoreResult& result);

/// Asks a server, or all primaries of a cluster, what look_at_target() asks. Writes nothing.
[[nodiscard]] Result<ReadyTarget> look_at(IoThread& io, const ServerLink& link,
                                          const JobContext& job);

/// Looks at the target, refuses it or empties it. Nothing else was written when this fails.
/// `dry_run`: nothing at all is.
[[nodiscard]] Result<ReadyTarget> prepare_target(IoThread& io, const ServerLink& link,
                                                 OnConflict on_conflict, bool flush, bool dry_run,
                                                 const JobContext& job);

}  // namespace sluice::engine
