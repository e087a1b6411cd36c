// sluice get PLACE KEY

#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "cli.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/export.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string place;
  std::string key;
  bool key_is_base64 = false;
  std::optional<std::uint64_t> db;
  ValueFormat format = ValueFormat::json;
  std::string output = "-";
  ServerOptions server;
};

/// RFC 4648, section 4; padding may be left out.
std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  unsigned bits = 0;
  int bit_count = 0;
  for (const char letter : text) {
    const auto value = letters.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffff;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes += static_cast<char>(bits >> bit_count & 0xff);
  }
  return bytes;
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  auto place = make_place(options.place, options.server, globals);
  if (!place) return report(place.error(), globals);
  GetOptions job{.place = std::move(*place),
                 .key = options.key,
                 .db = options.db,
                 .format = options.format,
                 .output = options.output};
  if (options.key_is_base64) {
    auto key = decode_base64(options.key);
    if (!key) {
      return report({.stage = Stage::usage,
                     .code = "bad_key",
                     .message = "the key is not base64, as --key-base64 says"},
                    globals);
    }
    job.key = std::move(*key);
  }
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
  app.add_option("KEY", options->key, "Name of the key")->required();
  app.add_flag("--key-base64", options->key_is_base64, "KEY is base64, for names that are binary");
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
