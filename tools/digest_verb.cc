// sluice digest PLACE

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/digest.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string place;
  ServerOptions server;
};

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  const auto place = make_place(options.place, options.server, globals);
  if (!place) return report(place.error(), globals);
  Result<DigestResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = digest(*place, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else {
    fmt::print("{}  {} keys\n", result->digest, human_count(result->keys));
  }
  if (!result->differs()) return exit_code::done;
  fmt::print(
      stderr,
      "sluice: the backup's data are not what its manifest says ({}): run sluice verify {}\n",
      *result->recorded, options.place);
  return exit_code::different;
}

}  // namespace

Verb add_digest(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place,
                 "URI of a live server; an RDB file, - for stdin; or a backup, named as for show")
      ->required();
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
