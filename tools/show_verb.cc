// sluice show BACKUP

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "sluice/catalog.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

void print(const BackupDetail& detail) {
  const BackupSummary& backup = detail.summary;
  std::string databases;
  for (const auto& [db, keys] : detail.databases) {
    if (!databases.empty()) databases += ", ";
    databases += fmt::format("db{} {}", db, human_count(keys));
  }
  std::vector<std::pair<std::string, std::string>> fields{
      {"backup", backup.id},
      {"instance", backup.instance},
      {"repository", backup.repo},
      {"layout", backup.layout},
      {"source",
       fmt::format("{} ({} {})", backup.source.uri, backup.source.server, backup.source.version)},
      {"RDB version", std::to_string(backup.source.rdb_version)},
      {"replication", fmt::format("{} at offset {}", backup.source.replid, backup.source.offset)},
      {"started", format_time(backup.started_at_ms)},
      {"finished", format_time(backup.finished_at_ms)},
      {"keys", human_count(backup.keys)},
      {"types", human_types(backup.types)},
      {"databases", databases.empty() ? "none" : databases},
      {"functions", human_count(detail.functions)},
      {"RDB bytes", human_bytes(backup.raw_bytes)},
      {"stored bytes", human_bytes(backup.stored_bytes)},
      {"chunks", human_count(detail.chunks)},
      {"packs", fmt::format("{} ({})", detail.packs.size(), human_bytes(detail.pack_file_bytes))},
  };
  if (const auto& verified = backup.verified) {
    fields.emplace_back("verified",
                        fmt::format("{} at {}, level {}", verified->ok ? "ok" : "DAMAGED",
                                    format_time(verified->finished_at_ms), verified->level));
  } else {
    fields.emplace_back("verified", "never");
  }
  for (const auto& [key, value] : detail.aux) fields.emplace_back("aux " + key, value);
  print_fields(fields);
}

int run(const std::string& backup, const Globals& globals) {
  const auto detail = show(globals.repository, backup);
  if (!detail) return report(detail.error(), globals);
  if (globals.json) {
    fmt::print("{}\n", to_json(*detail));
  } else {
    print(*detail);
  }
  return exit_code::done;
}

}  // namespace

Verb add_show(CLI::App& app, const Globals& globals) {
  auto backup = std::make_shared<std::string>();
  app.add_option("BACKUP", *backup, "Id, unique prefix, LATEST, INSTANCE@LATEST or INSTANCE@TIME")
      ->required();
  return [backup, &globals] { return run(*backup, globals); };
}

}  // namespace sluice::tools
