#include "storage/needed_packs.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "storage/committed_backup.h"
#include "storage/writer_life.h"

namespace sluice::storage {
namespace {

Result<std::vector<BackupKey>> all_keys(const Layout& layout) {
  const auto instances = layout.instances();
  if (!instances) return std::unexpected(instances.error());
  std::vector<BackupKey> keys;
  for (const std::string& instance : *instances) {
    const auto ids = layout.backup_ids(instance);
    if (!ids) return std::unexpected(ids.error());
    for (const BackupId& id : *ids) keys.push_back({.instance = instance, .id = to_string(id)});
  }
  return keys;
}

bool is_running(const Result<std::optional<Head>>& head) {
  return head && *head && (*head)->state == HeadState::running;
}

/// Whether somebody still writes the backup. One that committed meanwhile counts as alive: its
/// manifest was not read.
Result<bool> is_being_written(const Layout& layout, const BackupKey& key, const Head& head) {
  const auto lock = take_lock_of_dead(layout, key, head.owner, false);
  if (!lock) {
    if (lock.error().code == Errc::not_found) return false;  // removed meanwhile
    return std::unexpected(lock.error());
  }
  if (!*lock) return true;
  const auto now = layout.head(key);
  return now && *now && (*now)->state == HeadState::committed;
}

}  // namespace

Result<NeededPacks> needed_packs(const Layout& layout, const std::set<BackupId>& of) {
  const auto keys = all_keys(layout);
  if (!keys) return std::unexpected(keys.error());
  NeededPacks needed;
  std::set<BackupId> listed;
  std::vector<std::pair<BackupKey, Head>> children;  // running, and building on some backup
  for (const BackupKey& key : *keys) {
    const auto head = layout.head(key);
    if (is_running(head)) {
      if ((*head)->parent) children.emplace_back(key, **head);
      continue;
    }
    const auto manifest = read_backup_packs(layout, key);
    if (!manifest) {
      const auto now = visible_head(layout, key);
      if (now && !*now) continue;  // its writer gave it up while we read
      needed.unknown = manifest.error();
      continue;
    }
    if (!*manifest) continue;
    listed.insert(parse_backup_id(key.id).value_or(BackupId{}));
    for (const PackRef& pack : (*manifest)->packs) {
      if (of.contains(pack.id.backup)) needed.packs.insert(pack.id);
    }
  }
  // What a backup adopts is named by its parent, unless that is not listed any more.
  for (const auto& [key, head] : children) {
    if (listed.contains(*head.parent)) continue;
    const auto alive = is_being_written(layout, key, head);
    if (!alive) return std::unexpected(alive.error());
    if (!*alive) continue;
    needed.unknown = Error{.code = Errc::busy,
                           .detail = fmt::format("backup {}/{} is being written and builds on {}, "
                                                 "which is not listed",
                                                 key.instance, key.id, to_string(*head.parent))};
  }
  return needed;
}

Result<std::optional<BackupKey>> live_child(const Layout& layout, const BackupId& parent) {
  auto keys = all_keys(layout);
  if (!keys) return std::unexpected(std::move(keys.error()));
  for (BackupKey& key : *keys) {
    const auto head = layout.head(key);
    if (!is_running(head) || (*head)->parent != parent) continue;
    const auto alive = is_being_written(layout, key, **head);
    if (!alive) return std::unexpected(alive.error());
    if (*alive && is_running(layout.head(key))) return std::optional(std::move(key));
  }
  return std::nullopt;
}

}  // namespace sluice::storage
