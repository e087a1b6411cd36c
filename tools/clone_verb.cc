// sluice clone SOURCE TARGET

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "restore_report.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/clone.h"
#include "terminal.h"
#include "transfer_options.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string source;
  std::string target;
  TransferOptions transfer;
  bool follow = false;
  bool cut_over = false;
  double pause_s = 10;
  double reconnect_s = 60;
  ServerOptions servers;
  std::string source_password_file;
};

void print(const FollowResult& followed) {
  fmt::print("followed: {} commands, to offset {}, {} behind, {} reconnect(s)\n",
             human_count(followed.commands), followed.offset, human_bytes(followed.lag_bytes),
             followed.reconnects);
  if (followed.cut_over) {
    fmt::print("cut over: writes of the source paused for {}\n", human_seconds(followed.paused_s));
  }
  for (const std::string& error : followed.errors) fmt::print("refused: {}\n", error);
  if (followed.error_count > followed.errors.size()) {
    fmt::print("and {} more\n", followed.error_count - followed.errors.size());
  }
}

int finish(const CloneResult& result, const Globals& globals) {
  if (globals.json) {
    fmt::print("{}\n", to_json(result));
  } else {
    print_result(result.copy, result.source.uri);
    if (result.followed) print(*result.followed);
  }
  const int code = exit_code_of(result.copy, globals);
  const bool refused = result.followed && result.followed->error_count > 0;
  return code == exit_code::done && refused ? exit_code::incomplete : code;
}

int run(const Options& options, const Globals& globals) {
  if (!may_flush(options.transfer)) return report(not_confirmed(), globals);
  const std::atomic<bool>& told = cut_over_on_signal(options.cut_over);
  const std::stop_token stop = stop_on_signals();
  ServerOptions from = options.servers;
  from.password_file = options.source_password_file;
  auto source = make_address(options.source, from, "source");
  if (!source) return report(source.error(), globals);
  auto target = make_address(options.target, options.servers, "target");
  if (!target) return report(target.error(), globals);
  CloneOptions job;
  job.source = std::move(*source);
  job.target = std::move(*target);
  job.on_conflict = policy_of(options.transfer);
  job.flush = options.transfer.flush;
  job.mode = mode_of(options.transfer);
  job.verify = proof_of(options.transfer);
  job.connections = options.transfer.connections;
  job.bytes_per_second = options.transfer.rate;
  job.follow = options.follow || options.cut_over;
  job.cut_over = &told;
  job.pause_s_max = options.pause_s;
  job.reconnect_s = options.reconnect_s;
  Result<CloneResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = clone(job, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  return finish(*result, globals);
}

}  // namespace

Verb add_clone(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("SOURCE", options->source, "URI of the server to copy")->required();
  app.add_option("TARGET", options->target, "URI of the server to copy it into")->required();
  add_transfer_options(app, options->transfer, {"auto", "restore", "commands"});
  app.add_flag("--follow", options->follow,
               "Go on with what changes there, until SIGINT, or SIGUSR1, which cuts over");
  app.add_flag("--cutover", options->cut_over,
               "Follow, and cut over as soon as the target is nearly up to date: pause the "
               "source's writes, apply what is left, and end");
  app.add_option("--pause", options->pause_s, "Seconds that the source's writes pause at most")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--reconnect", options->reconnect_s,
                 "Seconds for which a source that was lost is tried again")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  add_server_options(app, options->servers, "target");
  app.add_option("--source-password-file", options->source_password_file,
                 "File whose first line is the password of the source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
