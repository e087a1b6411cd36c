// sluice restore BACKUP TARGET

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <memory>

#include "cli.h"
#include "filter_options.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/restore.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string backup;
  std::string target;
  std::string mode = "auto";
  unsigned connections = 2;
  std::uint64_t rate = 0;
  std::string listen;
  std::string on_conflict = "refuse";
  bool flush = false;
  bool yes = false;
  bool verify = false;
  bool no_verify = false;
  bool dry_run = false;
  FilterOptions filter;
  ServerOptions server;
};

OnConflict policy(const std::string& name) {
  if (name == "replace") return OnConflict::replace;
  if (name == "skip") return OnConflict::skip;
  return OnConflict::refuse;
}

RestoreMode mode(const std::string& name) {
  for (const RestoreMode mode : {RestoreMode::feed, RestoreMode::restore, RestoreMode::commands}) {
    if (name == to_string(mode)) return mode;
  }
  return RestoreMode::automatic;
}

Proof proof(const Options& options) {
  if (options.no_verify) return Proof::never;
  return options.verify ? Proof::always : Proof::automatic;
}

/// Asks on the terminal; without one, --yes is needed.
bool may_flush(const Options& options) {
  if (!options.flush || options.yes || options.dry_run) return true;
  if (isatty(STDIN_FILENO) == 0) return false;
  fmt::print(stderr,
             "Delete every key of all databases of the target, and its functions? Type yes: ");
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

void print(const RestorePlan& plan) {
  std::vector<std::vector<std::string>> rows;
  const auto add_row = [&rows](const std::string& name, const PlannedWrites& writes) {
    rows.push_back({name, human_count(writes.added), human_count(writes.replaced),
                    human_bytes(writes.memory_bytes)});
  };
  for (const auto& [type, writes] : plan.by_type) add_row(type, writes);
  add_row("all", plan.total);
  print_table({"TYPE", ">ADDED", ">REPLACED", ">MEMORY"}, rows);
  fmt::print("memory there: {} of {}, and {} for {} (model {}){}\n",
             plan.used_memory ? human_bytes(*plan.used_memory) : "?",
             !plan.maxmemory        ? "?"
             : *plan.maxmemory == 0 ? "no limit"
                                    : human_bytes(*plan.maxmemory),
             human_bytes(plan.total.memory_bytes + plan.table_memory_bytes), "these keys",
             plan.memory_model, plan.fits && !*plan.fits ? ": does NOT fit" : "");
}

void print(const RestoreResult& result) {
  std::vector<std::vector<std::string>> rows;
  const auto add_row = [&rows](const std::string& name, const Ledger& ledger) {
    rows.push_back({name, human_count(ledger.read), human_count(ledger.written),
                    human_count(ledger.filtered), human_count(ledger.skipped),
                    human_count(ledger.expired), human_count(ledger.failed)});
  };
  for (const auto& [type, ledger] : result.by_type) add_row(type, ledger);
  add_row("all", result.total);
  fmt::print("{} -> {} in {}\n", result.backup, result.target, human_seconds(result.seconds));
  print_table({"TYPE", ">READ", ">WRITTEN", ">FILTERED", ">SKIPPED", ">EXPIRED", ">FAILED"}, rows);
  if (result.plan) print(*result.plan);
  if (result.unread > 0) {
    fmt::print("unread: {} keys in {} runs that the filter cannot mean\n",
               human_count(result.unread), human_count(result.runs_skipped));
  }
  if (result.functions > 0) fmt::print("function libraries: {}\n", result.functions);
  if (result.verified) fmt::print("verified: {}\n", *result.verified ? "yes" : "NO");
  if (result.digest) fmt::print("digest: {}\n", *result.digest);
  for (const RdbLoss& loss : result.losses) fmt::print("lost: {}\n", loss.message);
  if (result.loss_count > result.losses.size()) {
    fmt::print("and {} more losses\n", result.loss_count - result.losses.size());
  }
  for (const std::string& note : result.notes) fmt::print("note: {}\n", note);
  for (const RestoreFailure& failure : result.failures) {
    fmt::print("failed: db {} \"{}\": {}\n", failure.db, failure.key, failure.message);
  }
  if (result.failure_count > result.failures.size()) {
    fmt::print("and {} more\n", result.failure_count - result.failures.size());
  }
}

int finish(const RestoreResult& result, const Globals& globals) {
  if (globals.json) {
    fmt::print("{}\n", to_json(result));
  } else {
    print(result);
  }
  if (result.interrupted) {
    Globals said = globals;
    said.json = false;  // stdout has the result already
    return report(*result.interrupted, said);
  }
  if (result.verified && !*result.verified) return exit_code::different;
  const bool incomplete = result.total.failed > 0 || result.total.skipped > 0 ||
                          result.functions_failed > 0 || result.loss_count > 0;
  return incomplete ? exit_code::incomplete : exit_code::done;
}

int run(const Options& options, const Globals& globals) {
  if (!may_flush(options)) {
    return report({.stage = Stage::usage,
                   .code = "not_confirmed",
                   .message = "--flush deletes every key of all databases of the target, and its "
                              "functions: confirm with --yes"},
                  globals);
  }
  const std::stop_token stop = stop_on_signals();
  auto address = make_address(options.target, options.server, "target");
  if (!address) return report(address.error(), globals);
  auto filter = to_filter(options.filter);
  if (!filter) return report(filter.error(), globals);
  RestoreOptions job;
  job.filter = *std::move(filter);
  job.dry_run = options.dry_run;
  job.repository = globals.repository;
  job.backup = options.backup;
  job.target = std::move(*address);
  job.on_conflict = policy(options.on_conflict);
  job.flush = options.flush;
  job.verify = proof(options);
  job.mode = mode(options.mode);
  job.connections = options.connections;
  job.bytes_per_second = options.rate;
  job.listen = options.listen;
  job.io = globals.io_backend();
  Result<RestoreResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = restore(job, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  return finish(*result, globals);
}

}  // namespace

Verb add_restore(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("BACKUP", options->backup, "Id, unique prefix, LATEST, INSTANCE@LATEST or @TIME")
      ->required();
  app.add_option("TARGET", options->target, "URI of the server to restore into")->required();
  app.add_option("--mode", options->mode, "How keys are written")
      ->check(CLI::IsMember({"auto", "feed", "restore", "commands"}))
      ->capture_default_str();
  app.add_option("--connections", options->connections, "To the target, at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--rate", options->rate, "Bytes a second that are sent at most, e.g. 20MB")
      ->transform(CLI::AsSizeValue(true));
  app.add_option("--listen", options->listen,
                 "Mode feed: where the target is told to load from (default: the address of this "
                 "machine that it is reached from)")
      ->type_name("HOST[:PORT]");
  app.add_option("--on-conflict", options->on_conflict,
                 "When the target holds keys: refuse to start, replace or skip those that exist")
      ->check(CLI::IsMember({"refuse", "replace", "skip"}))
      ->capture_default_str();
  app.add_flag("--flush", options->flush, "Empty the target first: all databases, and functions");
  app.add_flag("--yes", options->yes, "Do not ask before --flush");
  auto* verify =
      app.add_flag("--verify", options->verify,
                   "Read back what the target holds and compare; on by default when it was empty");
  app.add_flag("--no-verify", options->no_verify, "Do not")->excludes(verify);
  app.add_flag("--dry-run", options->dry_run,
               "Write nothing: say what would be added, replaced and skipped, and what it takes");
  add_choosing_options(app, options->filter);
  add_functions_option(app, options->filter);
  add_mapping_options(app, options->filter);
  add_server_options(app, options->server, "target");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
