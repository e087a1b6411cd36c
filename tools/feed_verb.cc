// sluice feed BACKUP --listen ADDR

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/feed.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string backup;
  std::string listen;
  std::string password_file;
  bool no_password = false;
  bool once = false;
  unsigned rdb_version = 0;
  double timeout_s = 60;
};

void print(const FeedResult& result) {
  fmt::print("{} at {}: RDB version {}, {} key(s), {}\n", result.backup, result.address,
             result.rdb_version, human_count(result.total.read - result.total.expired),
             human_bytes(result.bytes));
  for (const FedReplica& replica : result.replicas) {
    fmt::print("{}: {} in {}{}\n", replica.address, replica.complete ? "loaded" : "NOT loaded",
               human_seconds(replica.seconds), replica.error.empty() ? "" : ": " + replica.error);
  }
  for (const RestoreFailure& failure : result.failures)
    fmt::print("failed: db {} \"{}\": {}\n", failure.db, failure.key, failure.message);
  if (result.failure_count > result.failures.size())
    fmt::print("and {} more\n", result.failure_count - result.failures.size());
  for (const RdbLoss& loss : result.losses) fmt::print("lost: {}\n", loss.message);
  if (result.loss_count > result.losses.size())
    fmt::print("and {} more losses\n", result.loss_count - result.losses.size());
  if (result.refused > 0) fmt::print("connections not served: {}\n", result.refused);
}

Result<FeedOptions> job_of(const Options& options, const Globals& globals) {
  FeedOptions job;
  job.repository = globals.repository;
  job.backup = options.backup;
  job.listen = options.listen;
  job.once = options.once;
  job.io = globals.io_backend();
  job.timeout = std::chrono::milliseconds(static_cast<long>(options.timeout_s * 1000));
  if (options.rdb_version > 0) job.rdb_version = options.rdb_version;
  if (!options.password_file.empty()) {
    auto password = read_password(options.password_file);
    if (!password) return std::unexpected(password.error());
    job.password = std::move(*password);
  } else if (!options.no_password) {
    return std::unexpected(
        Error{.stage = Stage::usage,
              .code = "no_password",
              .message = "whoever can connect would get the data: give --password-file FILE, whose "
                         "first line replicas must have as masterauth, or --no-password"});
  }
  return job;
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  const auto job = job_of(options, globals);
  if (!job) return report(job.error(), globals);
  Result<FeedResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = feed(*job, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else {
    print(*result);
  }
  return result->failure_count + result->loss_count > 0 ? exit_code::incomplete : exit_code::done;
}

}  // namespace

Verb add_feed(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("BACKUP", options->backup, "Id, unique prefix, LATEST, INSTANCE@LATEST or @TIME")
      ->required();
  app.add_option("--listen", options->listen, "Where replicas come to; without PORT any free one")
      ->type_name("HOST[:PORT]")
      ->required();
  auto* file = app.add_option("--password-file", options->password_file,
                              "File whose first line replicas must have as masterauth")
                   ->type_name("FILE");
  app.add_flag("--no-password", options->no_password, "Serve whoever can connect")->excludes(file);
  app.add_flag("--once", options->once, "End when one replica has loaded everything");
  app.add_option("--rdb-version", options->rdb_version,
                 "For servers of another version: 6 to 14, or 80 for Valkey")
      ->type_name("N");
  app.add_option("--timeout", options->timeout_s,
                 "Give a replica up when it is silent for this many seconds")
      ->type_name("S")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
