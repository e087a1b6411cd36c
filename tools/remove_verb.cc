// sluice remove BACKUP...

#include <memory>

#include "cli.h"
#include "prune_report.h"
#include "signals.h"
#include "sluice/prune.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::vector<std::string> backups;
  RemovalFlags removal;
};

int run(const Options& options, const Globals& globals) {
  const auto collection = to_collection(options.removal);
  if (!collection) return report(collection.error(), globals);
  const std::stop_token stop = stop_on_signals();
  Result<PruneResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = remove(globals.repository, options.backups, !options.removal.confirm, *collection,
                    {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  return report_removal(*result, globals);
}

}  // namespace

Verb add_remove(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("BACKUP", options->backups, "Backups, named as for show")->required();
  add_removal_flags(app, options->removal);
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
