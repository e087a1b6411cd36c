// sluice diff A B

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "cli.h"
#include "filter_options.h"
#include "server_options.h"
#include "signals.h"
#include "sluice/catalog.h"
#include "sluice/diff.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string a;
  std::string b;
  FilterOptions filter;
  bool summary = false;
  ServerOptions server;
};

std::string expiry_text(const std::optional<std::int64_t>& expire_at_ms) {
  return expire_at_ms ? format_time(*expire_at_ms) : "none";
}

/// What stands behind the key of a line.
std::string what_differs(const KeyDifference& difference) {
  if (difference.change == KeyDifference::Change::only_a) return difference.type_a;
  if (difference.change == KeyDifference::Change::only_b) return difference.type_b;
  std::string text = difference.type_a;
  const char* separator = ": ";
  const auto add = [&](const std::string& what) { text += std::exchange(separator, ", ") + what; };
  if (difference.type) {
    add("type " + difference.type_a + " -> " + difference.type_b);
  } else if (difference.value) {
    add("value");
  }
  if (difference.ttl) {
    add("ttl " + expiry_text(difference.expire_at_ms_a) + " -> " +
        expiry_text(difference.expire_at_ms_b));
  }
  return text;
}

char sign_of(KeyDifference::Change change) {
  switch (change) {
    case KeyDifference::Change::only_a: return '-';
    case KeyDifference::Change::only_b: return '+';
    case KeyDifference::Change::different: return '~';
  }
  return '?';
}

std::string line_of(const KeyDifference& difference, const Globals& globals) {
  if (globals.json) return to_json(difference) + "\n";
  return fmt::format("{} db{} \"{}\" {}\n", sign_of(difference.change), difference.db,
                     difference.shown_key, what_differs(difference));
}

/// False once nobody reads them any more, which fmt would throw for.
bool print(const KeyDifference& difference, const Globals& globals) {
  const std::string line = line_of(difference, globals);
  return std::fwrite(line.data(), 1, line.size(), stdout) == line.size();
}

void print(const DiffResult& result) {
  print_fields({
      {"a", result.a},
      {"b", result.b},
      {"same", human_count(result.same)},
      {"only in a", human_count(result.only_a)},
      {"only in b", human_count(result.only_b)},
      {"different", human_count(result.different)},
      {"unread", fmt::format("{} run(s) of keys that both have, or that are not chosen",
                             human_count(result.runs_skipped))},
      {"time", human_seconds(result.seconds)},
  });
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  auto filter = to_filter(options.filter);
  if (!filter) return report(filter.error(), globals);
  DiffOptions job{.a = {}, .b = {}, .keys = std::move(filter->keys)};
  for (auto [name, place] : {std::pair(&options.a, &job.a), std::pair(&options.b, &job.b)}) {
    auto made = make_place(*name, options.server, globals);
    if (!made) return report(made.error(), globals);
    *place = *std::move(made);
  }
  Result<DiffResult> result;
  {
    // Lines and progress on one terminal would be in each other's way.
    TerminalObserver observer(globals.quiet || (!options.summary && isatty(STDOUT_FILENO) == 1));
    const auto tell = [&](const KeyDifference& difference) {
      return options.summary || print(difference, globals);
    };
    result = diff(job, tell, {.observer = &observer, .stop = stop});
  }
  if (!result) {
    // main() says it of standard output.
    if (result.error().code == "stopped") return exit_code::failed;
    return report(result.error(), globals);
  }
  if (globals.json) {
    fmt::print("{}\n", to_json(*result));
  } else {
    print(*result);
  }
  return result->equal() ? exit_code::done : exit_code::different;
}

}  // namespace

Verb add_diff(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("A", options->a, "Backup, RDB file (- for stdin) or URI of a live server")
      ->required();
  app.add_option("B", options->b, "What it is compared with")->required();
  add_choosing_options(app, options->filter);
  app.add_flag("--summary", options->summary, "Only how many keys differ, not which");
  add_server_options(app, options->server, "source");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
