// sluice verify [BACKUP...]

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli.h"
#include "duration.h"
#include "signals.h"
#include "sluice/catalog.h"
#include "sluice/verify.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::vector<std::string> backups;
  bool all = false;
  std::string level = "digest";
  bool resume = false;
  std::string max_age;
  std::string salvage;
};

void print_result(const VerifyResult& result) {
  if (result.skipped) {
    fmt::print("{}  {}  ok: verified at {}\n", result.id, result.instance,
               format_time(result.finished_at_ms));
    return;
  }
  fmt::print("{}  {}  {}: {} keys, {} chunks, {} read, {} decoded in {}{}\n", result.id,
             result.instance, result.ok ? "ok" : "DAMAGED", human_count(result.keys),
             human_count(result.chunks), human_bytes(result.stored_bytes),
             human_bytes(result.raw_bytes), human_seconds(result.seconds),
             result.resumed ? ", resumed" : "");
  for (const std::string& problem : result.problems) fmt::print("  {}\n", problem);
  if (result.problem_count > result.problems.size()) {
    fmt::print("  and {} more\n", result.problem_count - result.problems.size());
  }
  if (const auto& salvaged = result.salvaged) {
    fmt::print("  salvaged: {} keys in {}; {} keys are lost\n", human_count(salvaged->keys),
               salvaged->file, human_count(salvaged->lost_keys));
  }
}

Result<VerifyOptions> to_options(const Options& options, const Globals& globals) {
  VerifyOptions verify{
      .repository = globals.repository, .backups = options.backups, .io = globals.io_backend()};
  verify.resume = options.resume;
  verify.salvage = options.salvage;
  verify.tool = "sluice " SLUICE_VERSION;
  verify.level = parse_verify_level(options.level).value_or(VerifyLevel::digest);
  if (!options.max_age.empty()) {
    const auto age = parse_duration_ms(options.max_age);
    if (!age) return std::unexpected(age.error());
    verify.max_age_ms = *age;
  }
  return verify;
}

int run(const Options& options, const Globals& globals) {
  if (options.backups.empty() && !options.all) {
    return report({.stage = Stage::usage,
                   .code = "no_backup",
                   .message = "verify what? name backups, or say --all"},
                  globals);
  }
  const auto query = to_options(options, globals);
  if (!query) return report(query.error(), globals);
  const std::stop_token stop = stop_on_signals();
  Result<std::vector<VerifyResult>> results;
  {
    TerminalObserver observer(globals.quiet);
    results = verify(*query, {.observer = &observer, .stop = stop});
  }
  if (!results) return report(results.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*results));
  } else {
    if (results->empty()) fmt::print("no backups\n");
    for (const VerifyResult& result : *results) print_result(result);
  }
  return std::ranges::all_of(*results, &VerifyResult::ok) ? exit_code::done : exit_code::different;
}

}  // namespace

Verb add_verify(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  auto* backups = app.add_option("BACKUP", options->backups, "Backups, named as for show");
  app.add_flag("--all", options->all, "Every backup of the repository")->excludes(backups);
  app.add_option("--level", options->level, "How far to go; each holds those before it")
      ->check(CLI::IsMember({"list", "stored", "decoded", "parsed", "digest"}))
      ->capture_default_str();
  app.add_flag("--resume", options->resume, "Go on where a check of this level was stopped");
  app.add_option("--max-age", options->max_age,
                 "Pass over backups found good at this level no longer ago")
      ->type_name("DURATION");
  app.add_option("--salvage", options->salvage, "Write an RDB of all that is good to this file")
      ->type_name("FILE");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
