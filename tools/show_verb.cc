// sluice show BACKUP

#include <fmt/format.h>

#include <memory>

#include "cli.h"
#include "sluice/catalog.h"
#include "terminal.h"

namespace sluice::tools {
namespace {

/// "whole 120, 1 delta 14, 2 deltas 3"
std::string depths_text(const std::vector<std::uint64_t>& chain_depths) {
  std::string text;
  for (std::size_t deltas = 0; deltas < chain_depths.size(); ++deltas) {
    if (chain_depths[deltas] == 0) continue;
    if (!text.empty()) text += ", ";
    text += deltas == 0 ? "whole" : fmt::format("{} delta{}", deltas, deltas == 1 ? "" : "s");
    text += " " + human_count(chain_depths[deltas]);
  }
  return text.empty() ? "none" : text;
}

std::string chunks_text(const BackupDetail& detail) {
  std::string text = human_count(detail.chunks);
  if (detail.runs + detail.fragments == 0) return text;
  return text + fmt::format(" (runs {}, fragments {})", human_count(detail.runs),
                            human_count(detail.fragments));
}

std::string packs_text(const BackupDetail& detail) {
  const std::uint64_t shared = detail.packs.size() - detail.own_packs;
  std::string text =
      fmt::format("{} ({})", detail.own_packs, human_bytes(detail.own_pack_file_bytes));
  if (shared == 0) return text;
  return text + fmt::format(", and {} of earlier backups ({})", shared,
                            human_bytes(detail.pack_file_bytes - detail.own_pack_file_bytes));
}

std::string users_text(const std::vector<std::string>& used_by) {
  std::string text;
  for (const std::string& id : used_by) text += (text.empty() ? "" : ", ") + id;
  return text.empty() ? "none" : text;
}

std::string layout_text(const BackupSummary& backup) {
  return backup.order.empty() ? backup.layout : backup.layout + ", by " + backup.order;
}

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
      {"layout", layout_text(backup)},
      {"compression", backup.compression},
      {"parent", backup.parent.value_or("none")},
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
      {"new bytes", human_bytes(backup.new_bytes)},
      {"chunks", chunks_text(detail)},
      {"stored as", depths_text(detail.chain_depths)},
      {"packs", packs_text(detail)},
      {"packs used by", users_text(detail.used_by)},
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
