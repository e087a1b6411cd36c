// sluice get PLACE KEY

#include <map>
#include <memory>
#include <optional>

#include "cli.h"
#include "key_option.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/export.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string place;
  KeyOption key;
  std::optional<std::uint64_t> db;
  ValueFormat format = ValueFormat::json;
  std::string output = "-";
  ServerOptions server;
};

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  auto place = make_place(options.place, options.server, globals);
  if (!place) return report(place.error(), globals);
  auto key = bytes_of(options.key);
  if (!key) return report(key.error(), globals);
  GetOptions job{.place = std::move(*place),
                 .key = *std::move(key),
                 .db = options.db,
                 .format = options.format,
                 .output = options.output};
  if (globals.json && job.format == ValueFormat::json) job.format = ValueFormat::json_line;
  Result<void> done;
  {
    TerminalObserver observer(globals.quiet);
    done = get_key(job, {.observer = &observer, .stop = stop});
  }
  return done ? exit_code::done : report(done.error(), globals);
}

}  // namespace

Verb add_get(CLI::App& app, const Globals& globals) {
  const std::map<std::string, ValueFormat> formats{
      {"json", ValueFormat::json}, {"raw", ValueFormat::raw}, {"dump", ValueFormat::dump}};
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place, "Backup, RDB file (- for stdin) or URI of a live server")
      ->required();
  add_key_option(app, options->key);
  app.add_option("--db", options->db, "Database to look in (default: all, the first that has it)")
      ->type_name("N");
  app.add_option("--format", options->format,
                 "json: as in export; raw: the bytes of a string; dump: what DUMP gives")
      ->transform(CLI::CheckedTransformer(formats))
      ->type_name("json|raw|dump")
      ->default_str("json");
  app.add_option("-o,--output", options->output, "File to write, - for stdout")
      ->type_name("FILE")
      ->capture_default_str();
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
