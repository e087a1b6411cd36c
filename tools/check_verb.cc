// sluice check FILE

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "signals.h"
#include "sluice/check.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string file;
  std::string depth = "frame";
};

void print(const CheckResult& result) {
  if (result.ok) {
    fmt::print("ok: {} RDB version {}, {} keys ({}), {}, CRC64 {}\n", result.dialect,
               result.rdb_version, human_count(result.keys), human_types(result.types),
               human_bytes(result.bytes), result.crc);
  } else if (result.error) {
    fmt::print("not ok: {}\n", result.error->message);
  }
  if (result.trailing_bytes > 0) {
    fmt::print("note: {} after the end of the RDB were not looked at\n",
               human_bytes(result.trailing_bytes));
  }
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  Result<CheckResult> result;
  {
    TerminalObserver observer(globals.quiet);
    result = check({.file = options.file}, {.observer = &observer, .stop = stop});
  }
  if (!result) return report(result.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else {
    print(*result);
  }
  return result->ok ? exit_code::done : exit_code::failed;
}

}  // namespace

Verb add_check(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "RDB file, - for stdin")->required();
  app.add_option("--depth", options->depth, "frame: every length, every key border, the CRC64")
      ->check(CLI::IsMember({"frame"}))
      ->capture_default_str();
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
