#include "storage/leftovers.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/committed_backup.h"
#include "storage/file_lock.h"
#include "storage/writer_life.h"

namespace sluice::storage {
namespace {

std::unexpected<Error> busy_with(const BackupKey& key, const Owner& owner) {
  return std::unexpected(
      Error{.code = Errc::busy,
            .detail = fmt::format("backup {}/{} is being written by pid {} on {}", key.instance,
                                  key.id, owner.pid, owner.host)});
}

/// What to do with one backup directory. A dead writer's lock is ours until the removal is done.
struct Fate {
  bool remove = false;
  std::optional<FileLock> lock;
};

/// HEAD when it can be read; nullopt also when it is damaged: then it is for a person to look at.
Result<std::optional<Head>> readable_head(const Layout& layout, const BackupKey& key) {
  auto head = layout.head(key);
  if (!head && head.error().code.category() == make_error_code(Errc::corrupt).category())
    return std::nullopt;
  return head;
}

/// `head` was read before the lock was ours, and the writer may have committed, or marked its
/// backup as removed, before it let go of it.
Result<Fate> fate_under_lock(const Layout& layout, const BackupKey& key, const Head& head,
                             FileLock lock) {
  const auto removed = is_marked_removed(layout, key);
  if (!removed) return std::unexpected(removed.error());
  const auto now = readable_head(layout, key);
  if (!now) return std::unexpected(now.error());
  const bool unchanged =
      *now && (*now)->state == HeadState::running && (*now)->generation == head.generation;
  if (!*removed && !unchanged) return Fate{};
  return Fate{.remove = true, .lock = std::move(lock)};
}

Result<Fate> fate_of_running(const Layout& layout, const BackupKey& key, const Head& head,
                             std::string_view instance) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const bool same = key.instance == instance;
  auto life = judge_writer(layout, head, same);
  if (!life) return std::unexpected(std::move(life.error()));
  if (life->fenced) return Fate{.remove = true, .lock = std::move(life->lock)};
  if (same && life->state == WriterLife::State::alive) return busy_with(key, head.owner);
  if (!life->is_gone()) return Fate{};
  auto fate = fate_under_lock(layout, key, head, *std::move(life->lock));
  // The writer removes the lock file once it has committed. Whoever waited for it has then a lock
  // that keeps nobody out, so nothing may be removed under it.
  if (fate && fate->lock && !fate->lock->is_of(*directory, std::string(name::writer_lock)))
    return Fate{};
  return fate;
}

Result<Fate> fate_without_head(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  // With either of these HEAD is damaged or was lost, not never made.
  const auto head = exists(*directory, std::string(name::head));
  if (!head) return std::unexpected(head.error());
  const auto manifest = has_manifest(*directory);
  if (!manifest) return std::unexpected(manifest.error());
  return Fate{.remove = !*head && !*manifest, .lock = {}};
}

Result<Fate> fate_of(const Layout& layout, const BackupKey& key, std::string_view instance) {
  const auto removed = is_marked_removed(layout, key);
  if (!removed) return std::unexpected(removed.error());
  if (*removed) return Fate{.remove = true, .lock = {}};  // for good, whatever HEAD says
  const auto head = readable_head(layout, key);
  if (!head) return std::unexpected(head.error());
  if (!*head) return fate_without_head(layout, key);
  switch ((*head)->state) {
    case HeadState::committed: return Fate{};
    case HeadState::running: return fate_of_running(layout, key, **head, instance);
    case HeadState::fenced:
    case HeadState::packs: return Fate{.remove = true, .lock = {}};
  }
  return Fate{};
}

/// Backups that go, and the locks of their dead writers, until they are removed.
struct Survey {
  std::vector<BackupKey> dead;
  std::vector<FileLock> locks;
};

Result<Survey> survey(const Layout& layout, std::string_view instance) {
  const auto instances = layout.instances();
  if (!instances) return std::unexpected(instances.error());
  Survey survey;
  for (const std::string& owner : *instances) {
    const auto ids = layout.backup_ids(owner);
    if (!ids) return std::unexpected(ids.error());
    for (const BackupId& id : *ids) {
      BackupKey key{.instance = owner, .id = to_string(id)};
      auto fate = fate_of(layout, key, instance);
      if (!fate) return std::unexpected(std::move(fate.error()));
      if (!fate->remove) continue;
      survey.dead.push_back(std::move(key));
      if (fate->lock) survey.locks.push_back(*std::move(fate->lock));
    }
  }
  return survey;
}

/// Before any of their packs goes. One without HEAD has no manifest either: it needs no mark, and
/// has one already where its removal had begun.
Result<void> unlist(const Layout& layout, const std::vector<BackupKey>& keys) {
  for (const BackupKey& key : keys) {
    const auto directory = layout.backup(key);
    if (!directory) return std::unexpected(directory.error());
    if (const auto renamed = rename_head(*directory); !renamed)
      return std::unexpected(renamed.error());
  }
  return {};
}

Result<void> clear_temporary_files(const Layout& layout, Cleared& cleared) {
  const auto tmp = layout.directory(name::tmp);
  if (!tmp) return std::unexpected(tmp.error());
  const auto entries = list_directory(*tmp);
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& entry : *entries) {
    const auto removed = remove_file(*tmp, entry);
    if (!removed && removed.error().code == std::errc::is_a_directory) continue;  // not ours
    if (!removed) return removed;
    ++cleared.files;
  }
  return entries->empty() ? Result<void>() : sync_directory(*tmp);
}

}  // namespace

Result<Cleared> clear_leftovers(const Layout& layout, std::string_view instance,
                                const RemovalOptions& options, const AtStep& at_step) {
  const auto found = survey(layout, instance);
  if (!found) return std::unexpected(found.error());
  if (!layout.allows(Operation::gc)) return Cleared();  // a newer program may share packs
  if (auto ok = unlist(layout, found->dead); !ok) return std::unexpected(std::move(ok.error()));
  auto cleared = remove_backup_files(layout, found->dead, options, at_step);
  if (!cleared) return cleared;
  if (auto ok = clear_temporary_files(layout, *cleared); !ok)
    return std::unexpected(std::move(ok.error()));
  return cleared;
}

}  // namespace sluice::storage
