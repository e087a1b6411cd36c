#include "sluice/restore.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "engine/clock.h"
#include "engine/conversion_loss.h"
#include "engine/convert_stage.h"
#include "engine/errors.h"
#include "engine/facts_tap.h"
#include "engine/feed_restore.h"
#include "engine/io_thread.h"
#include "engine/json.h"
#include "engine/plan_json.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/restore_filter.h"
#include "engine/restore_plan.h"
#include "engine/restore_proof.h"
#include "engine/restore_stream.h"
#include "engine/restore_target.h"
#include "engine/target_format.h"
#include "engine/target_lanes.h"

namespace sluice {
namespace {

/// Looks at the target, refuses it or empties it. Nothing else was written when this fails.
Result<engine::ReadyTarget> prepare_target(engine::IoThread& io, const engine::ServerLink& link,
                                           const RestoreOptions& options, const JobContext& job) {
  auto target = io.run(engine::look_at_target(io.executor(), link), job.stop);
  if (!target) {
    return std::unexpected(engine::from_net(target.error(), engine::Role::target, link.display));
  }
  if (options.flush && options.dry_run) {
    target->keys = 0;
  } else if (options.flush) {
    const auto flushed = io.run(engine::flush_target(*target->connection, link), job.stop);
    if (!flushed) {
      Error error = engine::from_net(flushed.error(), engine::Role::target, link.display);
      if (error.code == "cancelled") error.message = "stopped as asked";
      error.message += "; the target may have been emptied, nothing was restored";
      return std::unexpected(std::move(error));
    }
    target->keys = 0;
  } else if (target->keys > 0 && options.on_conflict == OnConflict::refuse) {
    return std::unexpected(Error{
        .stage = Stage::engine,
        .code = "target_not_empty",
        .message = fmt::format("target {} holds {} key(s): choose an empty one, or say what shall "
                               "happen with --on-conflict replace, --on-conflict skip or --flush",
                               link.display, target->keys)});
  }
  return std::move(*target);
}

/// One restore under way: archive to parser to commands to the target.
class RestoreRun {
 public:
  RestoreRun(const storage::Repository& repository, const engine::OpenBackup& backup,
             const RestoreOptions& options, const engine::KeyChooser& chooser,
             const engine::ServerLink& link, engine::ReadyTarget target, engine::IoThread& io,
             const JobContext& job)
      : repository_(repository),
        backup_(backup),
        link_(link),
        target_(std::move(target)),
        io_(io),
        job_(job),
        options_(options),
        format_(wanted_format()),
        written_(make_written()),
        ledger_(options.on_conflict, written_.get()),
        lanes_(io, connect(), ledger_, lane_options(), job.stop),
        stream_(stream_options(), ledger_, lanes_.outlet(), written_.get()) {
    if (format_) convert_.emplace(*format_, stream_, [this](const auto& loss) { on_loss(loss); });
    filter_.emplace(options.filter, chooser, backup, first_stage(), tally_);
  }

  void run(engine::ProgressMeter& meter, RestoreResult& result) {
    engine::FactsTap facts(filter_->entry());
    rdb::Parser parser(facts);
    meter.set_phase("restoring");
    meter.set_total(backup_.manifest.raw_bytes);
    auto read = filter_->read(repository_, parser, job_, [&]() -> Result<void> {
      meter.update(parser.offset(), ledger_.written());
      return {};
    });
    if (read && !stream_.finish()) read = std::unexpected(broken_or_stopped());
    if (!read) {
      result.interrupted = why_ended(read.error());
      stream_.abandon("the restore ended in the middle of it");
    } else {
      add_differences(facts, result);
    }
    result.mode = options_.mode;
    result.raw_bytes = parser.offset();
    ledger_.report(result);
    result.losses = std::move(losses_);
    result.loss_count = loss_count_;
    filter_->report(result);
    if (!result.interrupted) prove(meter, result);
    if (!result.interrupted && !result.verified.value_or(false)) note_missing(result);
    if (!result.interrupted && !result.total.balanced()) {
      result.interrupted = Error{.stage = Stage::engine,
                                 .code = "ledger_gap",
                                 .message = "keys are unaccounted for; this is a fault of sluice"};
    }
  }

 private:
  static constexpr std::size_t losses_max = 1000;

  /// The version that the backup has to be told to the target in; none: its own.
  [[nodiscard]] std::optional<rdb::Header> wanted_format() const {
    const auto format = engine::rdb_format_of(target_.info);
    if (!format) return std::nullopt;
    return engine::needs_conversion(engine::header_of(backup_.manifest), *format) ? format
                                                                                  : std::nullopt;
  }

  /// Null when the restore is not to be proven, or cannot be.
  std::unique_ptr<engine::WrittenDigest> make_written() {
    if (options_.verify == Proof::never) return nullptr;
    if (target_.keys > 0) {
      if (options_.verify == Proof::always) why_unproven_ = "the target was not empty";
      return nullptr;
    }
    if (!target_.knows_absolute_ttl()) {
      why_unproven_ = "the target is too old to be told when a key expires";
      return nullptr;
    }
    return std::make_unique<engine::WrittenDigest>(start_ms_);
  }

  std::vector<std::unique_ptr<net::Connection>> connect() {
    std::vector<std::unique_ptr<net::Connection>> connections;
    if (options_.connections > 1) {
      auto more =
          io_.run(engine::log_in_more(io_.executor(), link_, options_.connections - 1), job_.stop);
      if (more) connections = std::move(*more);
    }
    connections.push_back(std::move(target_.connection));
    return connections;
  }

  [[nodiscard]] engine::LaneOptions lane_options() const {
    return {.inflight_bytes_max = options_.inflight_bytes_max,
            .silence_timeout = link_.timeout,
            .bytes_per_second = options_.bytes_per_second};
  }

  [[nodiscard]] engine::RestoreStream::Options stream_options() const {
    return {.policy = options_.on_conflict,
            .mode = options_.mode,
            .knows_absolute_ttl = target_.knows_absolute_ttl(),
            .bulk_bytes_max = target_.bulk_bytes_max,
            .is_older = engine::is_older(target_.info),
            .long_values = format_ ? nullptr : &backup_.manifest.long_values};
  }

  rdb::Handler& first_stage() {
    if (convert_) return *convert_;
    return stream_;
  }

  void on_loss(const rdb::ConversionLoss& loss) {
    RdbLoss described = engine::describe(loss);
    if (loss.of == rdb::ConversionLoss::Of::function) {
      ledger_.count_function_failed(loss.name, "the target knows no functions");
      return;
    }
    if (loss.of == rdb::ConversionLoss::Of::key && loss.losses.has(rdb::Loss::value)) {
      ledger_.count_read(loss.type->logical);
      ledger_.count_failed(loss.type->logical, loss.db, loss.name, described.message);
      return;
    }
    ++loss_count_;
    if (losses_.size() < losses_max) losses_.push_back(std::move(described));
  }

  void prove(engine::ProgressMeter& meter, RestoreResult& result) {
    if (!why_unproven_.empty()) result.notes.push_back("not verified: " + why_unproven_);
    if (!written_) return;
    auto proof =
        engine::prove_restore(options_.target, link_, *written_, start_ms_, io_, meter, job_);
    result.verified = proof.verified;
    result.digest = std::move(proof.digest);
    result.interrupted = std::move(proof.stopped);
    if (!proof.note.empty()) result.notes.push_back(std::move(proof.note));
  }

  [[nodiscard]] Error broken_or_stopped() const {
    if (!lanes_.broken()) return engine::cancelled();
    return engine::from_net(*lanes_.broken(), engine::Role::target, link_.display);
  }

  /// A server says OK to a key that it evicts at once, or that has expired by its own clock.
  void note_missing(RestoreResult& result) {
    if (target_.keys > 0) return;
    const auto keys = io_.run(engine::count_target_keys(lanes_.connection(), link_), job_.stop);
    if (!keys || *keys >= result.total.written) return;
    result.notes.push_back(
        fmt::format("the target took {} keys but holds {} now: the others expired by its clock or "
                    "were evicted (see maxmemory and maxmemory-policy there)",
                    result.total.written, *keys));
  }

  /// The parser only knows that the handler stopped it; what made it stop is here.
  [[nodiscard]] Error why_ended(const Error& read) const {
    Error error = read;
    if (stream_.error()) error = *stream_.error();
    if (convert_ && convert_->error()) error = *convert_->error();
    if (lanes_.broken()) error = broken_or_stopped();
    if (error.code == "cancelled") error.message = "stopped as asked";
    error.message += "; the target holds part of the backup";
    if (lanes_.broken() || error.code == "cancelled") {
      error.message += ": run this again with --on-conflict replace to complete it";
    }
    return error;
  }

  void add_differences(const engine::StreamFacts& facts, RestoreResult& result) {
    if (!filter_->reads_all()) return;
    const auto differences = engine::differences(backup_.manifest, facts);
    if (differences.empty()) return;
    result.interrupted =
        Error{.stage = Stage::storage,
              .code = "corrupt",
              .message = fmt::format("backup {}: {}", result.backup, fmt::join(differences, "; "))};
  }

  const storage::Repository& repository_;
  const engine::OpenBackup& backup_;
  const engine::ServerLink& link_;
  engine::ReadyTarget target_;
  engine::IoThread& io_;
  const JobContext& job_;
  const RestoreOptions& options_;
  const std::optional<rdb::Header> format_;  // of the target, when it has to be converted to
  const std::int64_t start_ms_ = engine::unix_now_ms();
  std::string why_unproven_;
  std::vector<RdbLoss> losses_;
  std::uint64_t loss_count_ = 0;
  std::unique_ptr<engine::WrittenDigest> written_;
  engine::RestoreLedger ledger_;
  engine::TargetLanes lanes_;
  engine::RestoreStream stream_;
  std::optional<engine::ConvertStage> convert_;
  engine::LedgerTally tally_{ledger_};
  std::optional<engine::RestoreFilter> filter_;
};

void add_notes(const engine::Manifest& manifest, RestoreResult& result) {
  if (manifest.module_aux > 0) {
    result.notes.push_back(
        fmt::format("{} record(s) of data that modules keep outside of keys were not carried "
                    "over: RESTORE cannot",
                    manifest.module_aux));
  }
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
  const auto link = engine::make_link(options.target);
  if (!link) return std::unexpected(link.error());
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
  auto target = prepare_target(io, *link, options, job);
  if (!target) return std::unexpected(target.error());

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
  RestoreRun run(**repository, *backup, options, *chooser, *link, std::move(*target), io, job);
  run.run(meter, result);
  add_notes(backup->manifest, result);
  result.seconds = meter.seconds();
  return result;
}

std::string_view to_string(RestoreMode mode) noexcept {
  switch (mode) {
    case RestoreMode::automatic: return "auto";
    case RestoreMode::feed: return "feed";
    case RestoreMode::restore: return "restore";
    case RestoreMode::commands: return "commands";
  }
  return "unknown";
}

namespace {

boost::json::object json_ledger(const Ledger& ledger) {
  return {{"read", ledger.read},       {"written", ledger.written}, {"filtered", ledger.filtered},
          {"skipped", ledger.skipped}, {"expired", ledger.expired}, {"failed", ledger.failed}};
}

}  // namespace

std::string to_json(const RestoreResult& result) {
  namespace json = boost::json;
  json::object object{{"backup", result.backup},
                      {"instance", result.instance},
                      {"target", result.target},
                      {"mode", to_string(result.mode)}};
  for (auto& [name, count] : json_ledger(result.total)) object[name] = std::move(count);
  json::object by_type;
  for (const auto& [type, ledger] : result.by_type) by_type[type] = json_ledger(ledger);
  object["by_type"] = std::move(by_type);
  object["functions"] = result.functions;
  object["functions_failed"] = result.functions_failed;
  object["unread"] = result.unread;
  object["runs_skipped"] = result.runs_skipped;
  object["chunks_read"] = result.chunks_read;
  object["dry_run"] = result.plan.has_value();
  object["plan"] =
      result.plan ? json::value(engine::json_plan(*result.plan)) : json::value(nullptr);
  object["raw_bytes"] = result.raw_bytes;
  json::array failures;
  for (const RestoreFailure& failure : result.failures) {
    failures.push_back({{"db", failure.db}, {"key", failure.key}, {"message", failure.message}});
  }
  object["failures"] = std::move(failures);
  object["failure_count"] = result.failure_count;
  object["losses"] = engine::json_losses(result.losses);
  object["loss_count"] = result.loss_count;
  object["notes"] = json::value_from(result.notes);
  object["verified"] = result.verified ? json::value(*result.verified) : json::value(nullptr);
  object["digest"] = engine::json_optional(result.digest);
  object["seconds"] = result.seconds;
  object["error"] = nullptr;
  if (const auto& error = result.interrupted) {
    object["error"] = engine::json_error(*error);
  }
  return json::serialize(object);
}

}  // namespace sluice
