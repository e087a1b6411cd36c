// sluice list

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "sluice/catalog.h"
#include "terminal.h"
#include "time_range.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string instance;
  TimeRange time;
};

std::string pinned(const BackupSummary& backup) {
  if (!backup.pinned) return "";
  return backup.pinned->empty() ? "yes" : *backup.pinned;
}

std::string verified(const BackupSummary& backup) {
  if (!backup.verified) return "never";
  if (!backup.verified->ok) return "DAMAGED";
  return format_time(backup.verified->finished_at_ms);
}

void print(const std::vector<BackupSummary>& backups) {
  std::vector<std::vector<std::string>> rows;
  for (const BackupSummary& backup : backups) {
    if (backup.damage) {
      rows.push_back({backup.id, backup.instance, format_time(backup.started_at_ms), "DAMAGED", "",
                      "", "", *backup.damage, verified(backup), pinned(backup)});
      continue;
    }
    rows.push_back({backup.id, backup.instance, format_time(backup.started_at_ms),
                    human_count(backup.keys), human_bytes(backup.raw_bytes),
                    human_bytes(backup.stored_bytes), human_bytes(backup.new_bytes),
                    backup.source.server + " " + backup.source.version, verified(backup),
                    pinned(backup)});
  }
  print_table({"ID", "INSTANCE", "STARTED", ">KEYS", ">RDB", ">STORED", ">NEW", "SERVER",
               "VERIFIED", "PINNED"},
              rows);
}

int run(const Options& options, const Globals& globals) {
  ListOptions query;
  query.repository = globals.repository;
  if (!options.instance.empty()) query.instance = options.instance;
  const auto from = time_of(options.time.from);
  if (!from) return report(from.error(), globals);
  const auto to = time_of(options.time.to);
  if (!to) return report(to.error(), globals);
  query.from_ms = *from;
  query.to_ms = *to;

  const auto backups = list(query);
  if (!backups) return report(backups.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*backups));
  } else if (backups->empty()) {
    fmt::print("no backups\n");
  } else {
    print(*backups);
  }
  return exit_code::done;
}

}  // namespace

Verb add_list(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("--name", options->instance, "Only this instance")->type_name("INSTANCE");
  add_time_range(app, options->time);
  return [options, &globals] { return run(*options, globals); };
}

}  // namespace sluice::tools
