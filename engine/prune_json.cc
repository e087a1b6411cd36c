#include <boost/json.hpp>

#include "engine/json.h"
#include "sluice/catalog.h"
#include "sluice/prune.h"

namespace sluice {

namespace json = boost::json;

std::string to_json(const PruneResult& result) {
  json::array backups;
  for (const RetentionVerdict& verdict : result.backups) {
    backups.push_back(
        json::object{{"id", verdict.id},
                     {"instance", verdict.instance},
                     {"started_at", format_time(verdict.started_at_ms)},
                     {"keep", verdict.keep},
                     {"reasons", json::array(verdict.reasons.begin(), verdict.reasons.end())}});
  }
  return json::serialize(
      json::object{{"dry_run", result.dry_run},
                   {"backups", std::move(backups)},
                   {"removed_backups", result.removed_backups},
                   {"trashed_packs", result.trashed_packs},
                   {"trashed_bytes", result.trashed_bytes},
                   {"repacked_packs", result.repacked_packs},
                   {"repacked_bytes", result.repacked_bytes},
                   {"copied_bytes", result.copied_bytes},
                   {"freed_packs", result.freed_packs},
                   {"freed_bytes", result.freed_bytes},
                   {"rescued_packs", result.rescued_packs},
                   {"kept_because", engine::json_optional(result.kept_because)}});
}

std::string to_json(const TrashContents& contents) {
  json::array backups;
  for (const TrashEntry& entry : contents.backups) {
    backups.push_back(json::object{{"id", entry.id},
                                   {"instance", entry.instance},
                                   {"removed_at", format_time(entry.removed_at_ms)}});
  }
  return json::serialize(json::object{
      {"backups", std::move(backups)}, {"packs", contents.packs}, {"bytes", contents.bytes}});
}

}  // namespace sluice
