// sluice clone SOURCE TARGET

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "cli.h"
#include "filter_options.h"
#include "restore_report.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/catalog.h"
#include "sluice/clone.h"
#include "sluice/provision.h"
#include "terminal.h"
#include "transfer_options.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string source;
  std::string target;
  std::string provision;
  std::string server_program;
  TransferOptions transfer;
  bool follow = false;
  bool dry_run = false;
  bool cut_over = false;
  double pause_s = 10;
  double reconnect_s = 60;
  ServerOptions servers;
  std::string source_password_file;
  bool source_cluster = false;
  FilterOptions filter;
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

void print(const ProvisionedServer& server) {
  fmt::print("it is {}\n", server.uri);
  if (server.directory.empty()) return;
  fmt::print("its files are in {}, its password and settings in {}/server.conf\n", server.directory,
             server.directory);
}

int finish(const CloneResult& result, const std::string& source, const Globals& globals) {
  if (globals.json) {
    fmt::print("{}\n", to_json(result));
  } else {
    print_result(result.copy, source);
    if (result.followed) print(*result.followed);
    if (result.provisioned) print(*result.provisioned);
  }
  const int code = exit_code_of(result.copy, globals);
  const bool refused = result.followed && result.followed->error_count > 0;
  return code == exit_code::done && refused ? exit_code::incomplete : code;
}

Error bad_option(std::string message) {
  return {.stage = Stage::usage, .code = "bad_option", .message = std::move(message)};
}

/// What is to be cloned, and how.
class Cloning {
 public:
  Cloning(const Options& options, const Globals& globals, const std::atomic<bool>& told,
          std::stop_token stop)
      : options_(options), globals_(globals), told_(told), stop_(std::move(stop)) {}

  Result<CloneResult> run() {
    if (auto fit = check(); !fit) return std::unexpected(fit.error());
    auto filter = to_filter(options_.filter);
    if (!filter) return std::unexpected(filter.error());
    filter_ = *std::move(filter);
    TerminalObserver observer(globals_.quiet);
    const JobContext job{.observer = &observer, .stop = stop_};
    if (auto found = find_target(job); !found) return std::unexpected(found.error());
    auto result = is_live() ? from_server(job) : from_backup(job);
    if (!server_) return result;
    const bool done = result && !result->copy.interrupted;
    if (done) {
      result->provisioned = *std::move(server_);
      return result;
    }
    const std::string left = take_back(*server_);
    Error& error = result ? *result->copy.interrupted : result.error();
    error.message += "; " + (left.empty() ? "the server that was started is gone" : left);
    return result;
  }

 private:
  [[nodiscard]] bool is_live() const { return is_server_uri(options_.source); }

  [[nodiscard]] Result<void> check() const {
    if (options_.target.empty() == options_.provision.empty()) {
      return std::unexpected(bad_option("say where to: TARGET, or --provision, and not both"));
    }
    if (options_.dry_run && !options_.provision.empty()) {
      return std::unexpected(bad_option("--provision makes a server: leave it or --dry-run out"));
    }
    const bool follows = options_.follow || options_.cut_over;
    if (is_live() || (!follows && !options_.provision.empty())) return {};
    return std::unexpected(
        bad_option(follows ? "a backup does not change: --follow needs a live source"
                           : "SOURCE is no address of a server (redis://…): a backup goes into an "
                             "existing server by sluice restore, into a new one by clone with "
                             "--provision"));
  }

  Result<void> find_target(const JobContext& job) {
    if (options_.provision.empty()) {
      auto address = make_address(options_.target, options_.servers, "target");
      if (!address) return std::unexpected(address.error());
      target_ = *std::move(address);
      return {};
    }
    ProvisionOptions wanted;
    wanted.how = options_.provision;
    wanted.program = options_.server_program;
    if (auto described = describe(wanted); !described) return described;
    auto server = provision(wanted, job);
    if (!server) return std::unexpected(server.error());
    server_ = *std::move(server);
    target_ = server_->address;
    return {};
  }

  Result<void> describe(ProvisionOptions& wanted) {
    if (is_live()) {
      auto source = source_address();
      if (!source) return std::unexpected(source.error());
      const auto info = describe_server(*source, {.observer = nullptr, .stop = stop_});
      if (!info) return std::unexpected(info.error());
      wanted.flavor = info->flavor;
      wanted.version = info->version;
      wanted.databases = std::max(wanted.databases, info->databases);
      wanted.name = info->uri;
      return {};
    }
    const auto found = show(globals_.repository, options_.source);
    if (!found) return std::unexpected(found.error());
    summary_ = found->summary;
    wanted.flavor = summary_.source.server == "valkey" ? "valkey" : "redis";
    wanted.version = summary_.source.version;
    wanted.name = summary_.id;
    wanted.keys = summary_.keys;
    wanted.bytes = summary_.raw_bytes;
    if (!found->databases.empty())
      wanted.databases = std::max(wanted.databases, found->databases.rbegin()->first + 1);
    return {};
  }

  [[nodiscard]] Result<ServerAddress> source_address() const {
    ServerOptions from = options_.servers;
    from.password_file = options_.source_password_file;
    from.cluster = options_.source_cluster;
    return make_address(options_.source, from, "source");
  }

  Result<CloneResult> from_server(const JobContext& job) {
    auto source = source_address();
    if (!source) return std::unexpected(source.error());
    CloneOptions how;
    how.source = *std::move(source);
    how.target = target_;
    how.on_conflict = policy_of(options_.transfer);
    how.flush = options_.transfer.flush;
    apply(options_.transfer, how);
    how.filter = filter_;
    how.follow = options_.follow || options_.cut_over;
    how.dry_run = options_.dry_run;
    how.cut_over = &told_;
    how.pause_s_max = options_.pause_s;
    how.reconnect_s = options_.reconnect_s;
    return clone(how, job);
  }

  Result<CloneResult> from_backup(const JobContext& job) {
    RestoreOptions how;
    how.repository = globals_.repository;
    how.backup = summary_.id;
    how.target = target_;
    apply(options_.transfer, how);
    how.filter = filter_;
    how.io = globals_.io_backend();
    auto restored = restore(how, job);
    if (!restored) return std::unexpected(restored.error());
    CloneResult result;
    result.copy = *std::move(restored);
    result.source = summary_.source;
    return result;
  }

  const Options& options_;
  const Globals& globals_;
  const std::atomic<bool>& told_;
  std::stop_token stop_;
  Filter filter_;
  ServerAddress target_;
  std::optional<ProvisionedServer> server_;  // that is the target
  BackupSummary summary_;                    // of a backup
};

int run(const Options& options, const Globals& globals) {
  if (!options.dry_run && !may_flush(options.transfer)) return report(not_confirmed(), globals);
  const std::atomic<bool>& told = cut_over_on_signal(options.cut_over);
  const auto result = Cloning(options, globals, told, stop_on_signals()).run();
  if (!result) return report(result.error(), globals);
  return finish(*result, options.source, globals);
}

}  // namespace

Verb add_clone(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("SOURCE", options->source,
                 "URI of the server to copy; with --provision also a backup, as for restore")
      ->required();
  app.add_option("TARGET", options->target, "URI of the server to copy it into");
  app.add_option("--provision", options->provision,
                 "Copy it into a new server of this machine, with its files in DIR (default: a new "
                 "directory here), or into one whose URI COMMAND prints")
      ->type_name("local[:DIR]|exec:COMMAND");
  app.add_option("--server-program", options->server_program,
                 "What to start for --provision local (default: redis-server or valkey-server, as "
                 "the source is)")
      ->type_name("FILE");
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
  app.add_flag("--dry-run", options->dry_run,
               "Write nothing: say what would be added, replaced and skipped, and what it takes");
  add_choosing_options(app, options->filter);
  add_functions_option(app, options->filter);
  add_mapping_options(app, options->filter);
  add_server_options(app, options->servers, "target");
  app.add_option("--source-password-file", options->source_password_file,
                 "File whose first line is the password of the source");
  app.add_flag("--source-cluster", options->source_cluster,
               "The source is a node of a cluster: all of the cluster is meant");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
