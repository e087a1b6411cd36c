// sluice doctor [PLACE]

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/doctor.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string place;
  ServerOptions server;
  bool bench = true;
  bool repair = false;
};

void print(const DoctorResult& result) {
  for (const Finding& finding : result.findings) {
    fmt::print("{:<5} {}: {}\n", to_string(finding.level), finding.about, finding.text);
    if (!finding.remedy.empty()) fmt::print("      -> {}\n", finding.remedy);
  }
  if (!result.bench) return;
  std::vector<std::vector<std::string>> rows;
  for (const DiskSpeed& speed : result.bench->speeds) {
    rows.push_back({speed.backend, speed.direct ? "O_DIRECT" : "page cache",
                    fmt::format("{:.0f}", speed.write_mb_s),
                    fmt::format("{:.0f}", speed.read_mb_s)});
  }
  fmt::print("\n");
  print_table({"io", "by", ">write MB/s", ">read MB/s"}, rows);
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  DoctorOptions what{.place = options.place.empty() ? globals.repository.path : options.place,
                     .server = {},
                     .io = globals.io_backend(),
                     .bench = options.bench,
                     .repository = globals.repository,
                     .repair = options.repair};
  if (options.repair && !is_server_uri(what.place)) {
    return report({.stage = Stage::usage,
                   .code = "bad_option",
                   .message = "--repair is about a live server: give its URI"},
                  globals);
  }
  if (is_server_uri(what.place)) {
    auto address = make_address(what.place, options.server, "source");
    if (!address) return report(address.error(), globals);
    what.server = std::move(*address);
  }
  Result<DoctorResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = doctor(what, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else {
    print(*result);
  }
  return result->ok() ? exit_code::done : exit_code::failed;
}

}  // namespace

Verb add_doctor(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place,
                 "Directory of a repository (default: the one of --repo), or URI of a live server");
  app.add_flag("--bench,!--no-bench", options->bench, "Measure the disk (default)");
  app.add_flag("--repair", options->repair,
               "Of a live server: undo what a restore has left there that was cut short");
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
