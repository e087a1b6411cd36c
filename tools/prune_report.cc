#include "prune_report.h"

#include <fmt/format.h>

#include "duration.h"
#include "sluice/catalog.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

std::string reasons_text(const RetentionVerdict& verdict) {
  std::string text;
  for (const std::string& reason : verdict.reasons) text += (text.empty() ? "" : ", ") + reason;
  return text;
}

void print_verdicts(const PruneResult& result) {
  std::vector<std::vector<std::string>> rows;
  for (const RetentionVerdict& verdict : result.backups) {
    rows.push_back({verdict.id, verdict.instance, format_time(verdict.started_at_ms),
                    verdict.keep ? "keep" : "remove", reasons_text(verdict)});
  }
  if (!rows.empty()) print_table({"ID", "INSTANCE", "STARTED", "VERDICT", "KEPT BY"}, rows);
}

void print_collected(const PruneResult& result) {
  fmt::print("removed {} backups; {} packs ({}) that nobody needs any more\n",
             human_count(result.removed_backups), human_count(result.trashed_packs),
             human_bytes(result.trashed_bytes));
  if (result.repacked_packs > 0) {
    fmt::print("repacked {} packs of {}: {} of it was needed\n", human_count(result.repacked_packs),
               human_bytes(result.repacked_bytes), human_bytes(result.copied_bytes));
  }
  if (result.freed_packs > 0) {
    fmt::print("gone from the trash for good: {} packs ({})\n", human_count(result.freed_packs),
               human_bytes(result.freed_bytes));
  }
  if (result.rescued_packs > 0) {
    fmt::print("back from the trash, as backups need them: {} packs; please report this\n",
               human_count(result.rescued_packs));
  }
}

}  // namespace

void add_removal_flags(CLI::App& app, RemovalFlags& flags) {
  app.add_flag("--confirm", flags.confirm, "Do it; else only what would be done is said");
  app.add_option("--trash", flags.trash,
                 "How long what is removed can be had back with `trash restore`; 0d: not at all")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_flag("--no-repack", flags.no_repack, "Leave packs of which little is needed as they are");
  app.add_flag("--accept-shrinkage", flags.accept_shrinkage,
               "Go on though many backups are missing that were listed the last time");
}

Result<CollectionOptions> to_collection(const RemovalFlags& flags) {
  const auto trash_ms = parse_duration_ms(flags.trash);
  if (!trash_ms) return std::unexpected(trash_ms.error());
  return CollectionOptions{.trash_ms = *trash_ms,
                           .repack = !flags.no_repack,
                           .accept_shrinkage = flags.accept_shrinkage};
}

int report_removal(const PruneResult& result, const Globals& globals) {
  if (globals.json) {
    fmt::print("{}\n", to_json(result));
  } else {
    print_verdicts(result);
    if (result.dry_run) {
      fmt::print("would remove {} of {} backups; nothing was changed: say --confirm to do it\n",
                 human_count(result.removed_backups), human_count(result.backups.size()));
    } else {
      print_collected(result);
    }
  }
  if (!result.kept_because) return exit_code::done;
  fmt::print(stderr,
             "sluice: packs of removed backups stay for now, as it is not known whether others "
             "need them: {}\n",
             *result.kept_because);
  return exit_code::incomplete;
}

}  // namespace sluice::tools
