#include "sluice/restore.h"

#include <fmt/format.h>

#include <optional>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "engine/clock.h"
#include "engine/facts_tap.h"
#include "engine/feed_restore.h"
#include "engine/io_thread.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/restore_checkpoint.h"
#include "engine/restore_filter.h"
#include "engine/restore_note.h"
#include "engine/restore_plan.h"
#include "engine/restore_state.h"
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
             engine::ProgressMeter& meter, const JobContext& job, engine::RestoreNote& note,
             const engine::RestoreState& state)
      : repository_(repository),
        backup_(backup),
        job_(job),
        note_(note),
        transfer_options_(how(options, backup.manifest, target, note)),
        transfer_(transfer_options_, options.target, link, std::move(target), io, meter, job,
                  state.records > 0 ? &state.so_far : nullptr),
        checkpoint_(state, noting(), transfer_, transfer_.entry()),
        filter_(options.filter, chooser, backup, checkpoint_, tally_, state.started_at_ms) {}

  void run(engine::ProgressMeter& meter, RestoreResult& result) {
    engine::FactsTap facts(filter_.entry());
    rdb::Parser parser(facts);
    meter.set_phase("restoring");
    meter.set_total(backup_.manifest.raw_bytes);
    checkpoint_.begin();
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
    filtered_.report(result);
    filter_.report(result);
    if (!result.interrupted) transfer_.prove(result);
    if (!result.interrupted && !result.total.balanced()) {
      result.interrupted = Error{.stage = Stage::engine,
                                 .code = "ledger_gap",
                                 .message = "keys are unaccounted for; this is a fault of sluice"};
    }
    if (!result.interrupted && result.verified.value_or(true)) note_.clear();
  }

 private:
  static engine::TransferOptions how(const RestoreOptions& options,
                                     const engine::Manifest& manifest,
                                     const engine::ReadyTarget& target,
                                     const engine::RestoreNote& note) {
    const auto format = engine::rdb_format_of(target.info);
    const bool converts = format && engine::needs_conversion(engine::header_of(manifest), *format);
    return {.on_conflict = options.on_conflict,
            .mode = options.mode,
            .connections = options.connections,
            .bytes_per_second = options.bytes_per_second,
            .inflight_bytes_max = options.inflight_bytes_max,
            .latency_ms_max = options.latency_ms_max,
            .verify = options.verify,
            .was_cut_short = note.left().has_value(),
            .remedy = note.is_kept() ? "run this again with --resume to go on"
                                     : "run this again with --on-conflict replace to complete it",
            .long_values = converts ? nullptr : &manifest.long_values};
  }

  engine::RestoreCheckpoint::Note noting() {
    if (!note_.is_kept()) return {};
    return [this](const engine::RestoreState& state) { note_.write(state); };
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
  engine::RestoreNote& note_;
  engine::TransferOptions transfer_options_;
  engine::Transfer transfer_;
  engine::RestoreCheckpoint checkpoint_;
  engine::RestoreLedger filtered_{OnConflict::refuse};  // what does not come so far as transfer_
  engine::LedgerTally tally_{filtered_};
  engine::RestoreFilter filter_;
};

/// Where a restore begins: at the beginning, or where the one that is resumed was. `target` is
/// looked at by then.
engine::RestoreState starting_state(const RestoreOptions& options, const engine::RestoreNote& note,
                                    const engine::OpenBackup& backup,
                                    const engine::ServerLink& link, engine::ReadyTarget& target,
                                    RestoreResult& result) {
  engine::RestoreState state;
  if (options.resume && note.left()) state = *note.left();
  const std::string server = engine::identity_of(target);
  if (options.resume && state.server != server) {
    // It may have lost what it had taken.
    result.notes.emplace_back(
        "the target was started anew since: everything was restored again, over what was there");
    state.records = 0;
    if (target.keys == 0) state.sent_end = 0;
  }
  if (state.records == 0) {
    if (state.so_far.written) target.keys = 0;  // but for what is ours
    state.so_far = {};
  }
  for (const auto& [type, ledger] : state.so_far.counts.by_type) result.resumed_keys += ledger.read;
  if (state.started_at_ms == 0) state.started_at_ms = engine::unix_now_ms();
  state.target = link.display;
  state.backup = backup.stored.key.id;
  state.instance = backup.stored.key.instance;
  state.keys = backup.manifest.keys;
  state.server = server;
  state.options = engine::options_text(options);
  return state;
}

/// What cannot be had together.
std::optional<Error> refuse_combination(const RestoreOptions& options,
                                        const engine::ServerLink& link) {
  const auto refusal = [](std::string message) {
    return Error{.stage = Stage::usage, .code = "bad_option", .message = std::move(message)};
  };
  if (options.dry_run && options.resume) {
    return refusal("--resume goes on with a restore, --dry-run writes nothing: leave one out");
  }
  if (options.mode == RestoreMode::feed && options.resume) {
    return refusal("mode feed is all or nothing: run the same again, without --resume");
  }
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
  if (options.latency_ms_max > 0) {
    return refusal("in mode feed the target loads by itself: --mode restore has --max-latency");
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

/// A target that is not empty may be that for a reason.
Error hint_at(const std::optional<engine::RestoreNote>& note, Error error) {
  if (!note || !note->left() || error.code != "target_not_empty") return error;
  error.message += fmt::format(
      "; a restore of backup {} into it was interrupted, which --resume "
      "goes on with",
      note->left()->backup);
  return error;
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

  if (auto fits = engine::check_mapping(options.filter, *chooser, backup->manifest.databases,
                                        options.on_conflict);
      !fits) {
    return std::unexpected(fits.error());
  }
  // Before anything of the target is touched: can the backup be read at all?
  if (auto readable = engine::probe(**repository, *backup); !readable) {
    return std::unexpected(readable.error());
  }
  const bool feeds = options.mode == RestoreMode::feed;
  if (feeds && (!options.filter.empty() || options.dry_run)) return std::unexpected(feeds_all());
  std::optional<engine::RestoreNote> note;
  if (!options.dry_run) {
    auto opened = engine::RestoreNote::open(**repository, *link, meter);
    if (!opened) return std::unexpected(opened.error());
    note.emplace(*std::move(opened));
  }
  if (feeds) {
    auto fed = engine::feed_restore(**repository, *backup, options, *link, meter, job);
    if (fed && !fed->interrupted) note->clear();
    return fed;
  }

  meter.set_phase("connecting");
  meter.update(0, 0);
  engine::IoThread io;
  if (options.resume) {
    if (auto fits = note->check(*backup, options); !fits) return std::unexpected(fits.error());
  }
  auto target = options.resume ? engine::look_at(io, *link, job)
                               : engine::prepare_target(io, *link, options.on_conflict,
                                                        options.flush, options.dry_run, job);
  if (!target) return std::unexpected(hint_at(note, target.error()));
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
  const auto state = starting_state(options, *note, *backup, *link, *target, result);
  RestoreRun run(**repository, *backup, options, *chooser, *link, std::move(*target), io, meter,
                 job, *note, state);
  run.run(meter, result);
  engine::note_module_aux(backup->manifest.module_aux, result);
  result.seconds = meter.seconds();
  return result;
}

}  // namespace sluice
