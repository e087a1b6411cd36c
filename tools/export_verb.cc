// sluice export PLACE

#include <fmt/format.h>

#include <map>
#include <memory>

#include "cli.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/export.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string place;
  TextFormat format = TextFormat::jsonl;
  std::string output = "-";
  ServerOptions server;
};

void print(const ExportResult& result) {
  print_fields({
      {"place", result.place},
      {"written",
       fmt::format("{} ({}, {})", result.output, result.format, human_bytes(result.bytes))},
      {"keys", human_count(result.keys)},
      {"types", human_types(result.types)},
      {"RDB", human_bytes(result.raw_bytes)},
      {"time", human_seconds(result.seconds)},
  });
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  auto place = make_place(options.place, options.server, globals);
  if (!place) return report(place.error(), globals);
  const bool data_on_stdout = options.output == "-";
  Globals quiet_stdout = globals;  // where the data are, nothing else may be
  quiet_stdout.json = globals.json && !data_on_stdout;
  Result<ExportResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = export_place(
        {.place = std::move(*place), .format = options.format, .output = options.output},
        {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), quiet_stdout);
  if (!data_on_stdout && globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else if (!data_on_stdout) {
    print(*result);
  } else if (!globals.quiet) {
    fmt::print(stderr, "sluice: {} keys, {} written in {}\n", human_count(result->keys),
               human_bytes(result->bytes), human_seconds(result->seconds));
  }
  return exit_code::done;
}

}  // namespace

Verb add_export(CLI::App& app, const Globals& globals) {
  const std::map<std::string, TextFormat> formats{
      {"jsonl", TextFormat::jsonl}, {"resp", TextFormat::resp}, {"csv", TextFormat::csv}};
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place, "Backup, RDB file (- for stdin) or URI of a live server")
      ->required();
  app.add_option("--format", options->format,
                 "jsonl: one key a line; resp: commands for redis-cli --pipe; csv: an inventory")
      ->transform(CLI::CheckedTransformer(formats))
      ->type_name("jsonl|resp|csv")
      ->default_str("jsonl");
  app.add_option("-o,--output", options->output, "File to write, - for stdout")
      ->type_name("FILE")
      ->capture_default_str();
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
