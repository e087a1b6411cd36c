// sluice history KEY

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "cli.h"
#include "key_option.h"
#include "signals.h"
#include "sluice/catalog.h"
#include "sluice/history.h"
#include "terminal.h"
#include "time_range.h"

namespace sluice::tools {
namespace {

struct Options {
  KeyOption key;
  std::string instance;
  std::optional<std::uint64_t> db;
  TimeRange time;
  bool changes = false;
};

void print(const std::vector<KeyState>& states) {
  std::vector<std::vector<std::string>> rows;
  for (const KeyState& state : states) {
    std::vector<std::string> row{state.id, format_time(state.started_at_ms),
                                 state.changed ? "*" : ""};
    if (state.error) {
      row.insert(row.end(), {"UNREADABLE", "", "", *state.error});
    } else if (!state.present) {
      row.insert(row.end(), {"absent", "", "", ""});
    } else {
      row.insert(row.end(), {state.type, std::to_string(state.db), human_bytes(state.value_bytes),
                             state.expire_at_ms ? format_time(*state.expire_at_ms) : "none"});
    }
    rows.push_back(std::move(row));
  }
  print_table({"ID", "STARTED", "CHANGED", "TYPE", ">DB", ">VALUE", "EXPIRES"}, rows);
}

int run(const Options& options, const Globals& globals) {
  const std::stop_token stop = stop_on_signals();
  HistoryOptions job;
  job.repository = globals.repository;
  job.instance = options.instance;
  job.db = options.db;
  job.io = globals.io_backend();
  auto key = bytes_of(options.key);
  if (!key) return report(key.error(), globals);
  job.key = *std::move(key);
  const auto from = time_of(options.time.from);
  if (!from) return report(from.error(), globals);
  const auto to = time_of(options.time.to);
  if (!to) return report(to.error(), globals);
  job.from_ms = *from;
  job.to_ms = *to;

  Result<std::vector<KeyState>> states;
  {
    TerminalObserver observer(globals.quiet);
    states = history(job, {.observer = &observer, .stop = stop});
  }
  if (!states) return report(states.error(), globals);
  const bool all_read = std::ranges::none_of(*states, [](const auto& s) { return bool(s.error); });
  if (options.changes) {
    std::erase_if(*states, [](const KeyState& state) { return !state.changed && !state.error; });
  }
  if (globals.json) {
    fmt::print("{}\n", to_json(*states));
  } else {
    print(*states);
  }
  return all_read ? exit_code::done : exit_code::incomplete;
}

}  // namespace

Verb add_history(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  add_key_option(app, options->key);
  app.add_option("--name", options->instance, "Instance whose backups are looked into")
      ->type_name("INSTANCE")
      ->required();
  app.add_option("--db", options->db,
                 "Database to look in (default: all, in each backup the first that has it)")
      ->type_name("N");
  add_time_range(app, options->time);
  app.add_flag("--changes", options->changes, "Only backups where the key is another than before");
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
