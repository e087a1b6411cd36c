// sluice pin BACKUP, sluice unpin BACKUP

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "sluice/prune.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string backup;
  std::string note;
};

int finish(const Result<void>& done, const Globals& globals) {
  if (!done) return report(done.error(), globals);
  if (globals.json) fmt::print("{{}}\n");
  return exit_code::done;
}

}  // namespace

Verb add_pin(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("BACKUP", options->backup, "The backup, named as for show")->required();
  app.add_option("--note", options->note, "Why, for those who wonder later")->type_name("TEXT");
  return [options, &globals] {
    return finish(pin(globals.repository, options->backup, options->note), globals);
  };
}

Verb add_unpin(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("BACKUP", options->backup, "The backup, named as for show")->required();
  return
      [options, &globals] { return finish(unpin(globals.repository, options->backup), globals); };
}

}  // namespace sluice::tools
