// sluice restore BACKUP TARGET

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "filter_options.h"
#include "restore_report.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/restore.h"
#include "terminal.h"
#include "transfer_options.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string backup;
  std::string target;
  TransferOptions transfer;
  std::string listen;
  bool dry_run = false;
  bool resume = false;
  FilterOptions filter;
  ServerOptions server;
};

int finish(const RestoreResult& result, const Globals& globals) {
  if (globals.json) {
    fmt::print("{}\n", to_json(result));
  } else {
    print_result(result, result.backup);
  }
  return exit_code_of(result, globals);
}

int run(const Options& options, const Globals& globals) {
  if (!options.dry_run && !options.resume && !may_flush(options.transfer))
    return report(not_confirmed(), globals);
  const std::stop_token stop = stop_on_signals();
  auto address = make_address(options.target, options.server, "target");
  if (!address) return report(address.error(), globals);
  auto filter = to_filter(options.filter);
  if (!filter) return report(filter.error(), globals);
  RestoreOptions job;
  job.filter = *std::move(filter);
  job.dry_run = options.dry_run;
  job.resume = options.resume;
  job.repository = globals.repository;
  job.backup = options.backup;
  job.target = std::move(*address);
  job.on_conflict = policy_of(options.transfer);
  job.flush = options.transfer.flush;
  apply(options.transfer, job);
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
  add_transfer_options(app, options->transfer, {"auto", "feed", "restore", "commands"});
  app.add_option("--listen", options->listen,
                 "Mode feed: where the target is told to load from (default: the address of this "
                 "machine that it is reached from)")
      ->type_name("HOST[:PORT]");
  app.add_flag("--dry-run", options->dry_run,
               "Write nothing: say what would be added, replaced and skipped, and what it takes");
  app.add_flag(
      "--resume", options->resume,
      "Go on with the restore into TARGET that was interrupted; the other options as then");
  add_choosing_options(app, options->filter);
  add_functions_option(app, options->filter);
  add_mapping_options(app, options->filter);
  add_server_options(app, options->server, "target");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
