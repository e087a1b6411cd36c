// sluice export PLACE

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli.h"
#include "filter_options.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/export.h"
#include "sluice/rdb_export.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

enum class Format : std::uint8_t { jsonl, resp, csv, rdb };

struct Options {
  std::string place;
  Format format = Format::jsonl;
  std::optional<unsigned> rdb_version;
  std::string output = "-";
  FilterOptions filter;
  ServerOptions server;
};

void print(const ExportResult& result) {
  print_fields({
      {"place", result.place},
      {"written",
       fmt::format("{} ({}, {})", result.output, result.format, human_bytes(result.bytes))},
      {"keys", human_count(result.keys)},
      {"types", human_types(result.types)},
      {"not chosen", fmt::format("{} read, {} not even read", human_count(result.filtered),
                                 human_count(result.unread))},
      {"RDB", human_bytes(result.raw_bytes)},
      {"time", human_seconds(result.seconds)},
  });
}

void print(const RdbExportResult& result) {
  print_fields({
      {"place", result.place},
      {"written", fmt::format("{} ({} RDB version {}, {})", result.output, result.dialect,
                              result.rdb_version, human_bytes(result.bytes))},
      {"keys", fmt::format("{} of {}, {} in another encoding", human_count(result.written),
                           human_count(result.keys), human_count(result.transcoded))},
      {"types", human_types(result.types)},
      {"not chosen", fmt::format("{} read, {} not even read", human_count(result.filtered),
                                 human_count(result.unread))},
      {"RDB", human_bytes(result.raw_bytes)},
      {"time", human_seconds(result.seconds)},
  });
}

/// What people want to know who do not ask for JSON: the first of them, and how many.
void tell_losses(const RdbExportResult& result) {
  constexpr std::size_t shown_max = 20;
  const std::size_t shown = std::min(result.losses.size(), shown_max);
  for (std::size_t number = 0; number < shown; ++number) {
    fmt::print(stderr, "sluice: {}\n", result.losses[number].message);
  }
  if (result.loss_count > shown) {
    fmt::print(stderr, "sluice: {} more like these\n", human_count(result.loss_count - shown));
  }
}

int exit_code_of(const ExportResult&) { return exit_code::done; }
int exit_code_of(const RdbExportResult& result) {
  return result.loss_count > 0 ? exit_code::incomplete : exit_code::done;
}

/// Where the data are, nothing else may be.
template <class Outcome>
int tell(const Result<Outcome>& result, const Options& options, const Globals& globals) {
  const bool data_on_stdout = options.output == "-";
  Globals quiet_stdout = globals;
  quiet_stdout.json = globals.json && !data_on_stdout;
  if (!result) return report(result.error(), quiet_stdout);
  if (!data_on_stdout && globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else if (!data_on_stdout) {
    print(*result);
  } else if (!globals.quiet) {
    fmt::print(stderr, "sluice: {} keys, {} written in {}\n", human_count(result->keys),
               human_bytes(result->bytes), human_seconds(result->seconds));
  }
  return exit_code_of(*result);
}

Result<ExportResult> export_text(const Options& options, Place place, KeyChoice keys,
                                 const JobContext& job) {
  constexpr std::array formats{TextFormat::jsonl, TextFormat::resp, TextFormat::csv};
  const TextFormat format = formats[static_cast<std::size_t>(options.format)];
  return export_place({.place = std::move(place),
                       .format = format,
                       .output = options.output,
                       .keys = std::move(keys),
                       .functions = options.filter.functions},
                      job);
}

Result<RdbExportResult> export_to_rdb(const Options& options, Place place, KeyChoice keys,
                                      const JobContext& job) {
  return export_rdb({.place = std::move(place),
                     .rdb_version = options.rdb_version,
                     .output = options.output,
                     .keys = std::move(keys),
                     .functions = options.filter.functions},
                    job);
}

/// Runs the job; what is left of its progress on the screen is gone when this returns.
template <class Export>
auto watched(const Export& do_export, const Options& options, Place place, KeyChoice keys,
             const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  TerminalObserver observer(globals.quiet);
  return do_export(options, std::move(place), std::move(keys),
                   {.observer = &observer, .stop = stop});
}

int run(const Options& options, const Globals& globals) {
  auto place = make_place(options.place, options.server, globals);
  if (!place) return report(place.error(), globals);
  auto filter = to_filter(options.filter);
  if (!filter) return report(filter.error(), globals);
  if (options.format != Format::rdb) {
    if (!options.rdb_version) {
      return tell(
          watched(export_text, options, std::move(*place), std::move(filter->keys), globals),
          options, globals);
    }
    const Error error{.stage = Stage::usage,
                      .code = "bad_option",
                      .message = "--rdb-version goes with --format rdb"};
    return report(error, globals);
  }
  const auto result =
      watched(export_to_rdb, options, std::move(*place), std::move(filter->keys), globals);
  if (result && !globals.json && !globals.quiet) tell_losses(*result);
  return tell(result, options, globals);
}

}  // namespace

Verb add_export(CLI::App& app, const Globals& globals) {
  const std::map<std::string, Format> formats{
      {"jsonl", Format::jsonl}, {"resp", Format::resp}, {"csv", Format::csv}, {"rdb", Format::rdb}};
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place, "Backup, RDB file (- for stdin) or URI of a live server")
      ->required();
  app.add_option(
         "--format", options->format,
         "jsonl: one key a line; resp: commands for redis-cli --pipe; csv: an inventory; rdb: a "
         "file that servers load")
      ->transform(CLI::CheckedTransformer(formats))
      ->type_name("jsonl|resp|csv|rdb")
      ->default_str("jsonl");
  app.add_option("--rdb-version", options->rdb_version,
                 "With --format rdb: 6 to 14, or 80 for Valkey; the source's own unless given")
      ->type_name("N");
  app.add_option("-o,--output", options->output, "File to write, - for stdout")
      ->type_name("FILE")
      ->capture_default_str();
  add_choosing_options(app, options->filter);
  add_functions_option(app, options->filter);
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
