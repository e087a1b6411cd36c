// sluice trash list|restore|empty

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "duration.h"
#include "prune_report.h"
#include "signals.h"
#include "sluice/catalog.h"
#include "sluice/prune.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string backup;
  std::string older_than = "7d";
  bool confirm = false;
  bool accept_shrinkage = false;
};

int list_it(const Globals& globals) {
  const auto contents = trash(globals.repository);
  if (!contents) return report(contents.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*contents));
    return exit_code::done;
  }
  std::vector<std::vector<std::string>> rows;
  for (const TrashEntry& entry : contents->backups)
    rows.push_back({entry.id, entry.instance, format_time(entry.removed_at_ms)});
  if (!rows.empty()) print_table({"ID", "INSTANCE", "REMOVED"}, rows);
  fmt::print("{} packs, {}\n", human_count(contents->packs), human_bytes(contents->bytes));
  return exit_code::done;
}

int restore_it(const Options& options, const Globals& globals) {
  const auto restored = restore_from_trash(globals.repository, options.backup);
  if (!restored) return report(restored.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(TrashContents{.backups = {*restored}}));
  } else {
    fmt::print("{}  {}  is listed again\n", restored->id, restored->instance);
  }
  return exit_code::done;
}

int empty_it(const Options& options, const Globals& globals) {
  const auto age_ms = parse_duration_ms(options.older_than);
  if (!age_ms) return report(age_ms.error(), globals);
  PruneOptions prune_options{.repository = globals.repository, .instance = {}, .policy = {}};
  prune_options.collect_only = true;
  prune_options.dry_run = !options.confirm;
  prune_options.collection = {
      .trash_ms = *age_ms, .repack = false, .accept_shrinkage = options.accept_shrinkage};
  if (prune_options.dry_run) {
    fmt::print(stderr, "nothing was changed: say --confirm to do it\n");
    return list_it(globals);
  }
  const auto result = prune(prune_options, {.observer = nullptr, .stop = stop_on_signals()});
  if (!result) return report(result.error(), globals);
  return report_removal(*result, globals);
}

}  // namespace

Verb add_trash(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  auto* list = app.add_subcommand("list", "What can be had back");
  auto* restore = app.add_subcommand("restore", "List a removed backup again");
  restore->add_option("ID", options->backup, "Its id, or the beginning of it")->required();
  auto* empty = app.add_subcommand("empty", "Have what was removed long ago go for good");
  empty->add_option("--older-than", options->older_than, "Only what was removed so long ago")
      ->type_name("DURATION")
      ->capture_default_str();
  empty->add_flag("--confirm", options->confirm, "Do it; else only what is there is said");
  empty->add_flag("--accept-shrinkage", options->accept_shrinkage,
                  "Go on though many backups are missing that were listed the last time");
  app.require_subcommand(1);
  return [options, list, restore, &globals] {
    if (list->parsed()) return list_it(globals);
    if (restore->parsed()) return restore_it(*options, globals);
    return empty_it(*options, globals);
  };
}

}  // namespace sluice::tools
