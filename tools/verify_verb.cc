// sluice verify [BACKUP...]

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli.h"
#include "signals.h"
#include "sluice/catalog.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::vector<std::string> backups;
  bool all = false;
};

void print(const std::vector<VerifyResult>& results) {
  if (results.empty()) fmt::print("no backups\n");
  for (const VerifyResult& result : results) {
    fmt::print("{}  {}  {}: {} keys, {} chunks, {} read, {} parsed in {}\n", result.id,
               result.instance, result.ok ? "ok" : "DAMAGED", human_count(result.keys),
               human_count(result.chunks), human_bytes(result.stored_bytes),
               human_bytes(result.raw_bytes), human_seconds(result.seconds));
    for (const std::string& problem : result.problems) fmt::print("  {}\n", problem);
    if (result.problem_count > result.problems.size()) {
      fmt::print("  and {} more\n", result.problem_count - result.problems.size());
    }
  }
}

int run(const Options& options, const Globals& globals) {
  if (options.backups.empty() && !options.all) {
    return report({.stage = Stage::usage,
                   .code = "no_backup",
                   .message = "verify what? name backups, or say --all"},
                  globals);
  }
  const std::stop_token stop = stop_on_signals();
  Result<std::vector<VerifyResult>> results;
  {
    TerminalObserver observer(globals.quiet);
    results = verify(
        {.repository = globals.repository, .backups = options.backups, .io = globals.io_backend()},
        {.observer = &observer, .stop = stop});
  }
  if (!results) return report(results.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*results));
  } else {
    print(*results);
  }
  return std::ranges::all_of(*results, &VerifyResult::ok) ? exit_code::done : exit_code::different;
}

}  // namespace

Verb add_verify(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  auto* backups = app.add_option("BACKUP", options->backups, "Backups, named as for show");
  app.add_flag("--all", options->all, "Every backup of the repository")->excludes(backups);
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
