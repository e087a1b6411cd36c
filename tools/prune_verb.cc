// sluice prune

#include <memory>

#include "cli.h"
#include "duration.h"
#include "prune_report.h"
#include "signals.h"
#include "sluice/prune.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string instance;
  RetentionPolicy policy;
  std::string within;
  bool collect_only = false;
  RemovalFlags removal;
};

Result<PruneOptions> to_options(const Options& options, const Globals& globals) {
  PruneOptions prune{.repository = globals.repository, .instance = {}, .policy = options.policy};
  if (!options.instance.empty()) prune.instance = options.instance;
  prune.collect_only = options.collect_only;
  prune.dry_run = !options.removal.confirm;
  if (!options.within.empty()) {
    const auto within_ms = parse_duration_ms(options.within);
    if (!within_ms) return std::unexpected(within_ms.error());
    prune.policy.within_ms = *within_ms;
  }
  const auto collection = to_collection(options.removal);
  if (!collection) return std::unexpected(collection.error());
  prune.collection = *collection;
  return prune;
}

int run(const Options& options, const Globals& globals) {
  const auto query = to_options(options, globals);
  if (!query) return report(query.error(), globals);
  const std::stop_token stop = stop_on_signals();
  Result<PruneResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = prune(*query, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  return report_removal(*result, globals);
}

void add_policy(CLI::App& app, Options& options) {
  RetentionPolicy& policy = options.policy;
  app.add_option("--keep-last", policy.last, "Keep the newest so many of each instance")
      ->type_name("N");
  app.add_option("--keep-within", options.within,
                 "Keep what was taken within this time, and the one before it")
      ->type_name("DURATION");
  app.add_option("--keep-hourly", policy.hourly,
                 "Keep the newest of each of the last so many hours")
      ->type_name("N");
  app.add_option("--keep-daily", policy.daily, "The same with days")->type_name("N");
  app.add_option("--keep-weekly", policy.weekly, "The same with weeks")->type_name("N");
  app.add_option("--keep-monthly", policy.monthly, "The same with months")->type_name("N");
  app.add_option("--keep-yearly", policy.yearly, "The same with years")->type_name("N");
  app.add_option("--keep-minimum", policy.minimum,
                 "Keep at least so many whole ones of each instance")
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

Verb add_prune(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("--name", options->instance, "Only backups of this instance")->type_name("NAME");
  add_policy(app, *options);
  app.add_flag("--collect-only", options->collect_only,
               "Remove no backup: only empty the trash of what is old, and repack");
  add_removal_flags(app, options->removal);
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
