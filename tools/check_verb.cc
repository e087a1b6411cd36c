// sluice check FILE

#include <fmt/format.h>

#include <map>
#include <memory>

#include "cli.h"
#include "signals.h"
#include "sluice/check.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

const std::map<std::string, CheckDepth> depths{
    {"frame", CheckDepth::frame}, {"verify", CheckDepth::verify}, {"decode", CheckDepth::decode}};

struct Options {
  std::string file;
  std::string depth = "verify";
};

void print(const CheckResult& result) {
  if (result.ok) {
    fmt::print("ok: {} RDB version {}, {} keys ({}), {}, CRC64 {}\n", result.dialect,
               result.rdb_version, human_count(result.keys), human_types(result.types),
               human_bytes(result.bytes), result.crc);
  } else {
    for (const CheckError& error : result.errors) fmt::print("not ok: {}\n", error.message);
    if (result.error_count > result.errors.size()) {
      fmt::print("not ok: {} more like these\n", result.error_count - result.errors.size());
    }
  }
  for (const auto& [name, keys] : result.modules) {
    fmt::print(
        "note: {} key(s) of module type {} are whole; what the module wrote was not judged\n",
        human_count(keys), name);
  }
  if (result.unchecked > 0) {
    fmt::print("note: {} collection(s) were too large to look for duplicates in all of it\n",
               human_count(result.unchecked));
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
    result = check({.file = options.file, .depth = depths.at(options.depth)},
                   {.observer = &observer, .stop = stop});
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
  app.add_option("--depth", options->depth,
                 "frame: lengths, key borders, CRC64; verify: every value too; decode: read out, "
                 "for the digest")
      ->check(CLI::IsMember({"frame", "verify", "decode"}))
      ->capture_default_str();
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
