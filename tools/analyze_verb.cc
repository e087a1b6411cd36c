// sluice analyze PLACE

#include <fmt/format.h>

#include <memory>

#include "analyze_report.h"
#include "cli.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/analyze.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string place;
  AnalyzeOptions job;
  bool plain_ids = false;
  ServerOptions server;
};

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  AnalyzeOptions job = options.job;
  job.fold_ids = !options.plain_ids;
  auto place = make_place(options.place, options.server, globals);
  if (!place) return report(place.error(), globals);
  job.place = std::move(*place);
  if (options.job.page == "-" && globals.json) {
    return report({.stage = Stage::usage,
                   .code = "bad_option",
                   .message = "--json and --html - both want standard output"},
                  globals);
  }
  Result<AnalyzeResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = analyze(job, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else if (options.job.page != "-") {
    print_analysis(*result);
  }
  return result->unreadable > 0 ? exit_code::incomplete : exit_code::done;
}

}  // namespace

Verb add_analyze(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option(
         "PLACE", options->place,
         "Backup, RDB file (- for stdin), or redis://, rediss://, valkey://, valkeys:// URI")
      ->required();
  app.add_option("--html", options->job.page, "Write one self-contained page; - for stdout")
      ->type_name("FILE");
  app.add_option("--top", options->job.top, "Keys in each list of the largest")
      ->check(CLI::Range(std::size_t{0}, AnalyzeOptions::top_max))
      ->capture_default_str();
  app.add_option("--separator", options->job.separators,
                 "Bytes that end a segment of a key; several are taken each for itself")
      ->capture_default_str();
  app.add_option("--depth", options->job.depth, "Segments of a key that are looked at")
      ->check(CLI::Range(std::size_t{1}, AnalyzeOptions::depth_max))
      ->capture_default_str();
  app.add_option("--prefixes", options->job.prefixes, "Prefixes that are shown, the largest")
      ->check(CLI::Range(std::size_t{0}, std::size_t{20'000}))
      ->capture_default_str();
  app.add_flag("--plain-ids", options->plain_ids,
               "Do not put segments that look like ids together as *");
  app.add_option("--shards", options->job.shards, "Sizes of a cluster to spread the slots over")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, AnalyzeOptions::shards_max))
      ->capture_default_str();
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
