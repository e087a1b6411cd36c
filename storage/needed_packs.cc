#include "storage/needed_packs.h"

#include <fmt/format.h>

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/checksum.h"
#include "storage/committed_backup.h"
#include "storage/writer_life.h"

namespace sluice::storage {
namespace {

bool is_running(const Result<std::optional<Head>>& head) {
  return head && *head && (*head)->state == HeadState::running;
}

/// What of a HEAD two readings must agree in. A lease may have been renewed.
void add_to_reading(DigestStream& reading, const BackupKey& key,
                    const Result<std::optional<Head>>& head) {
  std::string text = fmt::format("{}/{} ", key.instance, key.id);
  if (!head) {
    text += head.error().detail;
  } else if (*head) {
    const Head& now = **head;
    text += fmt::format("{} {} {} {}", std::to_underlying(now.state), to_hex(now.manifest_digest),
                        now.parent ? to_string(*now.parent) : "",
                        now.parent_manifest_digest ? to_hex(*now.parent_manifest_digest) : "");
  }
  text += '\n';
  reading.update(std::as_bytes(std::span(text)));
}

/// Whether somebody still writes the backup. One that committed meanwhile counts as alive: its
/// manifest was not read.
Result<bool> is_being_written(const Layout& layout, const Head& head) {
  const auto life = judge_writer(layout, head, false);
  if (!life) {
    if (life.error().code == Errc::not_found) return false;  // removed meanwhile
    return std::unexpected(life.error());
  }
  if (!life->is_gone()) return true;
  const auto now = layout.head(head.key);
  return now && *now && (*now)->state == HeadState::committed;
}

/// Whether what the running backup adopts is named by its parent, as that is listed now. The
/// parent's manifest may be another one than the writer read: repacking makes new ones.
bool is_covered(const Head& child, const std::map<BackupId, format::Digest>& listed) {
  const auto parent = listed.find(*child.parent);
  if (parent == listed.end()) return false;
  return !child.parent_manifest_digest || *child.parent_manifest_digest == parent->second;
}

}  // namespace

Result<NeededPacks> needed_packs(const Layout& layout, const std::set<BackupId>& of) {
  const auto keys = layout.all_keys();
  if (!keys) return std::unexpected(keys.error());
  NeededPacks needed;
  std::size_t unreadable = 0;
  DigestStream reading;
  std::map<BackupId, format::Digest> listed;
  std::vector<Head> children;  // running, and building on some backup
  for (const BackupKey& key : *keys) {
    const auto head = layout.head(key);
    add_to_reading(reading, key, head);
    if (is_running(head)) {
      if ((*head)->parent) children.push_back(**head);
      continue;
    }
    const auto manifest = read_backup_packs(layout, key);
    if (!manifest) {
      const auto now = visible_head(layout, key);
      if (now && !*now) continue;  // its writer gave it up while we read
      needed.unknown = manifest.error();
      ++unreadable;
      continue;
    }
    if (!*manifest) continue;
    listed.emplace(parse_backup_id(key.id).value_or(BackupId{}), (*manifest)->manifest_digest);
    for (const PackRef& pack : (*manifest)->packs) {
      if (of.contains(pack.id.backup)) needed.packs.insert(pack.id);
    }
  }
  needed.listed = listed.size() + unreadable;
  needed.reading = reading.digest();
  for (const Head& head : children) {
    if (is_covered(head, listed)) continue;
    const auto alive = is_being_written(layout, head);
    if (!alive) return std::unexpected(alive.error());
    if (!*alive) continue;
    needed.unknown =
        Error{.code = Errc::busy,
              .detail = fmt::format("backup {}/{} is being written and builds on {} as "
                                    "it was before it was removed or repacked",
                                    head.key.instance, head.key.id, to_string(*head.parent))};
  }
  return needed;
}

Result<std::map<BackupId, BackupKey>> live_children(const Layout& layout,
                                                    std::span<const BackupKey> parents) {
  std::set<BackupId> ids;
  for (const BackupKey& parent : parents)
    ids.insert(parse_backup_id(parent.id).value_or(BackupId{}));
  auto keys = layout.all_keys();
  if (!keys) return std::unexpected(std::move(keys.error()));
  std::map<BackupId, BackupKey> children;
  for (BackupKey& key : *keys) {
    const auto head = layout.head(key);
    if (!is_running(head) || !(*head)->parent || !ids.contains(*(*head)->parent)) continue;
    const auto alive = is_being_written(layout, **head);
    if (!alive) return std::unexpected(alive.error());
    if (*alive && is_running(layout.head(key)))
      children.try_emplace(*(*head)->parent, std::move(key));
  }
  return children;
}

}  // namespace sluice::storage
