#include "sluice/clone.h"

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "engine/clone_input.h"
#include "engine/errors.h"
#include "engine/follow_run.h"
#include "engine/follow_source.h"
#include "engine/info_text.h"
#include "engine/io_thread.h"
#include "engine/json.h"
#include "engine/key_chooser.h"
#include "engine/manifest.h"
#include "engine/place.h"
#include "engine/progress_meter.h"
#include "engine/restore_filter.h"
#include "engine/restore_json.h"
#include "engine/restore_plan.h"
#include "engine/target_console.h"
#include "engine/transfer.h"
#include "rdb/parser.h"

namespace sluice {
namespace {

/// One clone under way.
class CloneRun {
 public:
  CloneRun(const CloneOptions& options, const engine::KeyChooser& chooser,
           const engine::ServerLink& source, const engine::ServerLink& target,
           const JobContext& job)
      : options_(options),
        chooser_(chooser),
        source_link_(source),
        target_link_(target),
        job_(job),
        meter_(job) {}

  Result<CloneResult> run() {
    meter_.set_phase("connecting");
    meter_.update(0, 0);
    auto info = io_.run(engine::ask_server_info(io_.executor(), source_link_), job_.stop);
    if (!info) return std::unexpected(from_source(info.error()));
    if (auto fit = refuse(*info); !fit) return std::unexpected(fit.error());
    if (auto fit = check_databases(); !fit) return std::unexpected(fit.error());
    auto target = engine::prepare_target(io_, target_link_, options_.on_conflict, options_.flush,
                                         options_.dry_run, job_);
    if (!target) return std::unexpected(target.error());
    result_.copy.target = target_link_.display;
    result_.source.uri = source_link_.display;
    result_.source.server = net::to_text(info->flavor);
    result_.source.version = info->version;
    if (options_.dry_run) {
      if (auto planned = plan(*target); !planned) return std::unexpected(planned.error());
    } else {
      copy(std::move(*target));
    }
    result_.copy.seconds = meter_.seconds();
    return std::move(result_);
  }

 private:
  [[nodiscard]] Error from_source(const net::Error& error) const {
    return engine::from_net(error, engine::Role::source, source_link_.display);
  }

  /// A server that follows itself never ends.
  Result<void> refuse(const net::ServerInfo& source) {
    const auto target = io_.run(engine::ask_server_info(io_.executor(), target_link_), job_.stop);
    if (!target) {
      return std::unexpected(
          engine::from_net(target.error(), engine::Role::target, target_link_.display));
    }
    if (source.run_id.empty() || source.run_id != target->run_id) return {};
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "same_server",
                                 .message = "source and target are one server"});
  }

  /// Which databases the source has matters only where some of them go elsewhere.
  Result<void> check_databases() {
    if (options_.filter.databases.empty()) return {};
    engine::TargetConsole console(io_, source_link_);
    console.set_stop(job_.stop);
    const auto keyspace = console.info("keyspace");
    if (!keyspace) return std::unexpected(from_source(keyspace.error()));
    databases_ = engine::info_databases(*keyspace);
    return engine::check_mapping(options_.filter, chooser_, databases_, options_.on_conflict);
  }

  void copy(engine::ReadyTarget target) {
    const engine::TransferOptions how{.on_conflict = options_.on_conflict,
                                      .mode = options_.mode,
                                      .connections = options_.connections,
                                      .bytes_per_second = options_.bytes_per_second,
                                      .inflight_bytes_max = options_.inflight_bytes_max,
                                      .latency_ms_max = options_.latency_ms_max,
                                      .watched = {source_link_},
                                      .verify = options_.follow ? Proof::never : options_.verify,
                                      .is_followed = options_.follow,
                                      .long_values = nullptr};
    engine::Transfer transfer(how, options_.target, target_link_, std::move(target), io_, meter_,
                              job_);
    engine::LedgerTally tally(transfer.ledger());
    engine::CloneInput input(options_.filter, chooser_, transfer.entry(), tally);
    const auto written = [&transfer] { return transfer.ledger().written(); };
    auto read = options_.follow ? read_followed(input.parser(), written)
                                : read_once(input.parser(), written);
    if (read && !transfer.finish()) read = std::unexpected(transfer.broken_or_stopped());
    RestoreResult& copy = result_.copy;
    if (!read) {
      copy.interrupted = transfer.why_ended(input.why_stopped(read.error()));
      transfer.abandon("the copy ended in the middle of it");
    }
    transfer.report(copy);
    report(input);
    if (!copy.interrupted && options_.follow) follow(transfer.imports());
    if (options_.follow) transfer.end_import(copy);
    if (!copy.interrupted && !options_.follow) transfer.prove(copy);
  }

  Result<void> plan(const engine::ReadyTarget& target) {
    engine::PlanRun plan(
        {.on_conflict = options_.on_conflict,
         .mode = options_.mode,
         .flush = options_.flush,
         .merges = engine::merges_databases(options_.filter, chooser_, databases_)},
        target_link_, target, io_, job_);
    engine::CloneInput input(options_.filter, chooser_, plan.entry(), plan.tally());
    auto read = read_once(input.parser(), [&plan] { return plan.planned(); });
    if (!read) read = std::unexpected(input.why_stopped(read.error()));
    auto done = plan.finish(std::move(read), result_.copy);
    if (done) report(input);
    return done;
  }

  /// What is of the source rather than of the target.
  void report(const engine::CloneInput& input) {
    RestoreResult& copy = result_.copy;
    const engine::StreamFacts& facts = input.facts();
    copy.raw_bytes = input.parser().offset();
    if (facts.header()) result_.source.rdb_version = facts.header()->version;
    engine::add_filter_notes(options_.filter, chooser_, databases_, facts.functions(), copy);
    engine::note_module_aux(facts.module_aux(), copy);
  }

  /// `keys`: how many are done.
  Result<void> read_once(rdb::Parser& parser, const std::function<std::uint64_t()>& keys) {
    const Place place{
        .name = options_.source.uri, .server = options_.source, .repository = {}, .io = {}};
    const auto facts = engine::read_place(place, parser, meter_, job_, [&]() -> Result<void> {
      meter_.update(parser.offset(), keys());
      return {};
    });
    if (!facts) return std::unexpected(facts.error());
    result_.source.replid = facts->source.replid;
    result_.source.offset = facts->source.offset;
    return {};
  }

  Result<void> read_followed(rdb::Parser& parser, const std::function<std::uint64_t()>& keys) {
    const auto reconnect_wait =
        std::chrono::milliseconds(static_cast<std::int64_t>(options_.reconnect_s * 1000));
    source_ = std::make_unique<engine::FollowSource>(io_, source_link_, reconnect_wait);
    meter_.set_phase("copying");
    const std::string what = "the snapshot from " + source_link_.display;
    auto read = source_->read_snapshot(
        [&](std::span<const std::byte> bytes) -> Result<void> {
          const auto fed = parser.feed(bytes);
          if (!fed) return std::unexpected(engine::from_rdb(fed.error(), what));
          return {};
        },
        [&] { meter_.update(parser.offset(), keys()); }, job_.stop);
    if (!read) return read;
    if (auto ended = parser.finish(); !ended) {
      return std::unexpected(engine::from_rdb(ended.error(), what));
    }
    result_.source.replid = source_->granted().replid;
    result_.source.offset = source_->granted().offset;
    return {};
  }

  void follow(bool imports) {
    FollowResult& followed = result_.followed.emplace();
    engine::FollowRun run(*source_, source_link_, target_link_, options_, imports, io_, meter_,
                          job_);
    if (auto ended = run.run(followed); !ended) result_.copy.interrupted = ended.error();
  }

  const CloneOptions& options_;
  const engine::KeyChooser& chooser_;
  const engine::ServerLink& source_link_;
  const engine::ServerLink& target_link_;
  const JobContext& job_;
  engine::ProgressMeter meter_;
  engine::IoThread io_;
  engine::DatabaseKeys databases_;  // of the source, if they are mapped
  std::unique_ptr<engine::FollowSource> source_;
  CloneResult result_;
};

/// What cannot be had together.
std::optional<Error> refuse_combination(const CloneOptions& options) {
  const auto refusal = [](std::string message) {
    return Error{.stage = Stage::usage, .code = "bad_option", .message = std::move(message)};
  };
  if (options.follow && (options.source.cluster || options.target.cluster)) {
    return refusal("--follow follows one server into one: not --cluster, nor --source-cluster");
  }
  if (options.follow && !options.filter.empty()) {
    return refusal(
        "--follow applies every command of the source as it is: without a choice of keys, mappings "
        "or other expiries");
  }
  if (!options.dry_run) return std::nullopt;
  if (options.follow) return refusal("--dry-run looks at what is there now: leave --follow out");
  if (options.target.cluster) {
    return refusal("--dry-run asks one server, not a cluster: leave --dry-run or --cluster out");
  }
  return std::nullopt;
}

}  // namespace

Result<CloneResult> clone(const CloneOptions& options, const JobContext& job) {
  if (auto refused = refuse_combination(options)) return std::unexpected(*refused);
  const auto chooser = engine::KeyChooser::make(options.filter.keys);
  if (!chooser) return std::unexpected(chooser.error());
  const auto source = engine::make_link(options.source);
  if (!source) return std::unexpected(source.error());
  const auto target = engine::make_link(options.target);
  if (!target) return std::unexpected(target.error());
  return CloneRun(options, *chooser, *source, *target, job).run();
}

std::string to_json(const CloneResult& result) {
  namespace json = boost::json;
  json::object object = engine::json_of(result.copy);
  if (result.copy.backup.empty()) {
    object.erase("backup");
    object.erase("instance");
  }
  object["source"] = engine::json_source(result.source);
  object["followed"] = nullptr;
  if (const auto& followed = result.followed) {
    object["followed"] = {{"offset", followed->offset},
                          {"commands", followed->commands},
                          {"lag_bytes", followed->lag_bytes},
                          {"reconnects", followed->reconnects},
                          {"errors", json::value_from(followed->errors)},
                          {"error_count", followed->error_count},
                          {"cut_over", followed->cut_over},
                          {"paused_seconds", followed->paused_s}};
  }
  object["provisioned"] = nullptr;
  if (const auto& server = result.provisioned) {
    object["provisioned"] = {
        {"uri", server->uri},
        {"directory",
         server->directory.empty() ? json::value(nullptr) : json::value(server->directory)},
        {"pid", server->pid ? json::value(*server->pid) : nullptr}};
  }
  return json::serialize(object);
}

}  // namespace sluice
