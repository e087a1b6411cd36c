// sluice serve --config FILE

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "cli.h"
#include "signals.h"
#include "sluice/service.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string config = "sluice.toml";
  bool init = false;
  bool check = false;
};

/// Writes a configuration to start with, unless there is one.
int write_starting_config(const Options& options, const Globals& globals) {
  namespace fs = std::filesystem;
  if (fs::exists(options.config)) {
    return report({.stage = Stage::usage,
                   .code = "exists",
                   .message = options.config + " is there already: it is left as it is"},
                  globals);
  }
  std::ofstream file(options.config);
  fs::permissions(options.config, fs::perms::owner_read | fs::perms::owner_write);
  file << starting_service_config();
  if (!file.flush()) {
    return report({.stage = Stage::engine,
                   .code = "write_failed",
                   .message = "cannot write " + options.config},
                  globals);
  }
  fmt::print(
      "{} was written: set a repository and an instance in it, then run\n"
      "  sluice serve --config {}\n",
      options.config, options.config);
  return exit_code::done;
}

int run(const Options& options, const Globals& globals) {
  if (options.init) return write_starting_config(options, globals);
  if (options.check) {
    const auto good = check_service_config(options.config);
    if (!good) return report(good.error(), globals);
    fmt::print("{} is good\n", options.config);
    return exit_code::done;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::atomic<bool>& reload = reload_on_signal();
  const std::stop_token stop = stop_on_signals();
  const auto served =
      serve({.config = options.config,
             .version = SLUICE_VERSION,
             .reload = &reload,
             .log = [](std::string_view line) { fmt::print(stderr, "sluice: {}\n", line); }},
            stop);
  if (!served) return report(served.error(), globals);
  return exit_code::done;
}

}  // namespace

Verb add_serve(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("--config", options->config, "Configuration (docs/service.md)")
      ->type_name("FILE")
      ->capture_default_str();
  auto* init =
      app.add_flag("--init", options->init, "Write a configuration to start with, and end");
  app.add_flag("--check", options->check, "Say what is wrong with the configuration, and end")
      ->excludes(init);
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
