#include "sluice/restore.h"

#include <fmt/format.h>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "engine/facts_tap.h"
#include "engine/feed_restore.h"
#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/restore_filter.h"
#include "engine/restore_plan.h"
#include "engine/target_format.h"
#include "engine/transfer.h"

namespace sluice {
namespace {

/// One restore under way: archive to parser to commands to the target.
class RestoreRun {
 public:
  RestoreRun(const storage::Repository& repository, const engine::OpenBackup& backup,
             const RestoreOptions& options, const engine::KeyChooser& chooser,
             const engine::ServerLink& link, engine::ReadyTarget target, engine::IoThread& io,
             engine::ProgressMeter& meter, const JobContext& job)
      : repository_(repository),
        backup_(backup),
        job_(job),
        transfer_(how(options, backup.manifest, target), options.target, link, std::move(target),
                  io, meter, job),
        tally_(transfer_.ledger()),
        filter_(options.filter, chooser, backup, transfer_.entry(), tally_) {}

  void run(engine::ProgressMeter& meter, RestoreResult& result) {
    engine::FactsTap facts(filter_.entry());
    rdb::Parser parser(facts);
    meter.set_phase("restoring");
    meter.set_total(backup_.manifest.raw_bytes);
    auto read = filter_.read(repository_, parser, job_, [&]() -> Result<void> {
      meter.update(parser.offset(), transfer_.ledger().written());
      return {};
    });
    if (read && !transfer_.finish()) read = std::unexpected(transfer_.broken_or_stopped());
    if (!read) {
      result.interrupted = transfer_.why_ended(read.error());
      transfer_.abandon("the restore ended in the middle of it");
    } else {
      add_differences(facts, result);
    }
    result.raw_bytes = parser.offset();
    transfer_.report(result);
    filter_.report(result);
    if (!result.interrupted) transfer_.prove(result);
    if (!result.interrupted && !result.total.balanced()) {
      result.interrupted = Error{.stage = Stage::engine,
                                 .code = "ledger_gap",
                                 .message = "keys are unaccounted for; this is a fault of sluice"};
    }
  }

 private:
  static engine::TransferOptions how(const RestoreOptions& options,
                                     const engine::Manifest& manifest,
                                     const engine::ReadyTarget& target) {
    const auto format = engine::rdb_format_of(target.info);
    const bool converts = format && engine::needs_conversion(engine::header_of(manifest), *format);
    return {.on_conflict = options.on_conflict,
            .mode = options.mode,
            .connections = options.connections,
            .bytes_per_second = options.bytes_per_second,
            .inflight_bytes_max = options.inflight_bytes_max,
            .verify = options.verify,
            .long_values = converts ? nullptr : &manifest.long_values};
  }

  void add_differences(const engine::StreamFacts& facts, RestoreResult& result) {
    if (!filter_.reads_all()) return;
    const auto differences = engine::differences(backup_.manifest, facts);
    if (differences.empty()) return;
    result.interrupted =
        Error{.stage = Stage::storage,
              .code = "corrupt",
              .message = fmt::format("backup {}: {}", result.backup, fmt::join(differences, "; "))};
  }

  const storage::Repository& repository_;
  const engine::OpenBackup& backup_;
  const JobContext& job_;
  engine::Transfer transfer_;
  engine::LedgerTally tally_;
  engine::RestoreFilter filter_;
};

void add_notes(const engine::Manifest& manifest, RestoreResult& result) {
  if (manifest.module_aux > 0) {
    result.notes.push_back(
        fmt::format("{} record(s) of data that modules keep outside of keys were not carried "
                    "over: RESTORE cannot",
                    manifest.module_aux));
  }
}

/// What cannot be had together.
std::optional<Error> refuse_combination(const RestoreOptions& options,
                                        const engine::ServerLink& link) {
  const auto refusal = [](std::string message) {
    return Error{.stage = Stage::usage, .code = "bad_option", .message = std::move(message)};
  };
  if (options.dry_run && link.cluster) {
    return refusal("--dry-run asks one server, not a cluster: leave --dry-run or --cluster out");
  }
  if (options.mode != RestoreMode::feed) return std::nullopt;
  if (link.cluster) {
    return refusal("nodes of a cluster take no REPLICAOF: use --mode restore with --cluster");
  }
  if (link.is_sentinel()) {
    return refusal(
        "sentinels undo the REPLICAOF of mode feed: use --mode restore, or let them "
        "forget the master and give its own address");
  }
  return std::nullopt;
}

Error feeds_all() {
  return {.stage = Stage::usage,
          .code = "bad_option",
          .message =
              "mode feed brings a backup as it is: without a choice of keys, mappings, "
              "other expiries or a dry run; --mode restore has those"};
}

}  // namespace

Result<RestoreResult> restore(const RestoreOptions& options, const JobContext& job) {
  engine::ProgressMeter meter(job);
  auto link = engine::make_link(options.target);
  if (!link) return std::unexpected(link.error());
  if (auto refused = refuse_combination(options, *link)) return std::unexpected(*refused);
  const auto chooser = engine::KeyChooser::make(options.filter.keys);
  if (!chooser) return std::unexpected(chooser.error());
  auto repository = engine::open_repository(options.repository, false, options.io);
  if (!repository) return std::unexpected(repository.error());
  const auto key = engine::resolve(**repository, options.backup);
  if (!key) return std::unexpected(key.error());
  const auto backup = engine::open_backup(**repository, *key);
  if (!backup) return std::unexpected(backup.error());

  if (auto fits =
          engine::check_mapping(options.filter, *chooser, backup->manifest, options.on_conflict);
      !fits) {
    return std::unexpected(fits.error());
  }
  // Before anything of the target is touched: can the backup be read at all?
  if (auto readable = engine::probe(**repository, *backup); !readable) {
    return std::unexpected(readable.error());
  }
  if (options.mode == RestoreMode::feed) {
    if (!options.filter.empty() || options.dry_run) return std::unexpected(feeds_all());
    return engine::feed_restore(**repository, *backup, options, *link, meter, job);
  }

  meter.set_phase("connecting");
  meter.update(0, 0);
  engine::IoThread io;
  auto target =
      engine::prepare_target(io, *link, options.on_conflict, options.flush, options.dry_run, job);
  if (!target) return std::unexpected(target.error());
  if (target->cluster) link->add_seeds(target->cluster->addresses());

  RestoreResult result;
  result.backup = key->id;
  result.instance = key->instance;
  result.target = link->display;
  if (options.dry_run) {
    auto planned = engine::plan_restore(**repository, *backup, *chooser, options, *link, *target,
                                        io, meter, job, result);
    if (!planned) return std::unexpected(planned.error());
    return result;
  }
  RestoreRun run(**repository, *backup, options, *chooser, *link, std::move(*target), io, meter,
                 job);
  run.run(meter, result);
  add_notes(backup->manifest, result);
  result.seconds = meter.seconds();
  return result;
}

}  // namespace sluice
