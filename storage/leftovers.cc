#include "storage/leftovers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <optional>
#include <set>

#include "storage/file_lock.h"

namespace sluice::storage {
namespace {

using namespace std::chrono_literals;

constexpr auto dead_lock_patience = 1000ms;  // a killed writer's lock can outlive it by 0.1 s

/// Whether to wait for a lock at all: no use while its owner plainly lives.
bool plainly_alive(const Owner& owner) {
  const Owner self = this_process();
  if (owner.host != self.host || owner.boot_id != self.boot_id || owner.pid <= 0) return false;
  return ::kill(static_cast<pid_t>(owner.pid), 0) == 0 || errno == EPERM;
}

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

Result<bool> is_marked_removed(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  return exists(*directory, std::string(name::removed_head));
}

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
  const auto patience = !same && plainly_alive(head.owner) ? 0ms : dead_lock_patience;
  const std::string lock_name(name::writer_lock);
  auto lock = FileLock::acquire(*directory, lock_name, patience);
  if (!lock && lock.error().code != Errc::busy) return std::unexpected(std::move(lock.error()));
  if (!lock) {
    if (same) return busy_with(key, head.owner);
    return Fate{};
  }
  auto fate = fate_under_lock(layout, key, head, *std::move(lock));
  // The writer removes the lock file once it has committed. Whoever waited for it has then a lock
  // that keeps nobody out, so nothing may be removed under it.
  if (fate && fate->lock && !fate->lock->is_of(*directory, lock_name)) return Fate{};
  return fate;
}

Result<Fate> fate_without_head(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  for (const std::string_view file : {name::head, name::manifest, name::manifest_copy}) {
    const auto there = exists(*directory, std::string(file));
    if (!there) return std::unexpected(there.error());
    if (*there) return Fate{};  // HEAD is damaged or was lost, not never made
  }
  return Fate{.remove = true, .lock = {}};
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
  }
  return Fate{};
}

/// Every backup that has a directory.
struct Survey {
  std::set<BackupId> kept;      // by some directory that stays, of whatever instance
  std::set<BackupId> dead_ids;  // of `dead`
  std::vector<BackupKey> dead;
  std::vector<FileLock> locks;  // of the dead, until they are removed
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
      if (!fate->remove) {
        survey.kept.insert(id);
        continue;
      }
      survey.dead_ids.insert(id);
      survey.dead.push_back(std::move(key));
      if (fate->lock) survey.locks.push_back(*std::move(fate->lock));
    }
  }
  return survey;
}

/// Whether another instance has a directory of the same id that is not being removed: a copy, say.
Result<bool> has_id_elsewhere(const Layout& layout, const BackupKey& key) {
  const auto instances = layout.instances();
  if (!instances) return std::unexpected(instances.error());
  for (const std::string& other : *instances) {
    if (other == key.instance) continue;
    const auto removed = is_marked_removed(layout, {.instance = other, .id = key.id});
    if (!removed && (removed.error().code == Errc::not_found ||
                     removed.error().code == std::errc::not_a_directory))
      continue;
    if (!removed) return removed;
    if (!*removed) return true;
  }
  return false;
}

/// The backup that wrote the pack file `entry`, temporary or not.
std::optional<BackupId> owner_of_pack(std::string_view entry) {
  const std::string prefix = temporary_name("");
  if (entry.starts_with(prefix)) entry.remove_prefix(prefix.size());
  const auto id = parse_pack_id(entry);
  if (!id) return std::nullopt;  // not ours: left alone
  return id->backup;
}

/// What becomes of a pack, by the backup that wrote it.
enum class PackFate : std::uint8_t { keep, remove, stray };
using PackJudge = std::function<PackFate(const BackupId&)>;

Result<void> remove_packs_of_shard(const Directory& shard, const PackJudge& judge,
                                   Cleared& cleared) {
  const auto entries = list_directory(shard);
  if (!entries) return std::unexpected(entries.error());
  bool changed = false;
  for (const std::string& entry : *entries) {
    const auto owner = owner_of_pack(entry);
    const PackFate fate = owner ? judge(*owner) : PackFate::keep;
    if (fate == PackFate::stray) ++cleared.stray_packs;
    if (fate != PackFate::remove) continue;
    if (const auto file = open_for_reading(shard, entry))
      cleared.bytes += size_of(*file, entry).value_or(0);
    if (auto ok = remove_file(shard, entry); !ok) return ok;
    ++cleared.packs;
    changed = true;
  }
  return changed ? sync_directory(shard) : Result<void>();
}

Result<void> remove_packs(const Layout& layout, const PackJudge& judge, Cleared& cleared) {
  for (unsigned shard = 0; shard < format::shard_count; ++shard) {
    const auto directory = layout.shard(shard);
    if (!directory) return std::unexpected(directory.error());
    if (auto ok = remove_packs_of_shard(*directory, judge, cleared); !ok) return ok;
  }
  return {};
}

/// True when there was a HEAD to rename. Needs no room, so it works on a full disk.
Result<bool> rename_head(const Directory& directory) {
  const int fd = directory.fd.get();
  const std::string from(name::head);
  if (::renameat(fd, from.c_str(), fd, std::string(name::removed_head).c_str()) == 0) {
    if (auto ok = sync_directory(directory); !ok) return std::unexpected(std::move(ok.error()));
    return true;
  }
  if (errno == ENOENT) return false;
  return std::unexpected(system_error(errno, "renameat", directory.path_of(from)));
}

/// Before any of their packs goes. One without HEAD has no manifest either: it needs no mark.
Result<void> unlist(const Layout& layout, const std::vector<BackupKey>& keys) {
  for (const BackupKey& key : keys) {
    const auto directory = layout.backup(key);
    if (!directory) return std::unexpected(directory.error());
    const auto renamed = rename_head(*directory);
    if (!renamed) return std::unexpected(renamed.error());
    if (*renamed) continue;
    if (auto ok = sync_directory(*directory); !ok)
      return ok;  // whoever marked it may have failed to
  }
  return {};
}

/// Before HEAD goes, lest a crash between the two looks like a good backup that lost its HEAD.
Result<void> remove_manifests(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  for (const std::string_view file : {name::manifest, name::manifest_copy}) {
    if (auto ok = remove_file(*directory, std::string(file)); !ok) return ok;
  }
  return sync_directory(*directory);
}

Result<void> remove_directories(const Layout& layout, const std::vector<BackupKey>& keys) {
  for (const BackupKey& key : keys) {
    const auto instance = layout.instance(key.instance);
    if (!instance) return std::unexpected(instance.error());
    if (auto ok = remove_manifests(layout, key); !ok) return ok;
    if (auto ok = remove_directory(*instance, key.id); !ok) return ok;
    if (auto ok = sync_directory(*instance); !ok) return ok;
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

Result<Cleared> clear_leftovers(const Layout& layout, std::string_view instance) {
  Cleared cleared;
  auto found = survey(layout, instance);
  if (!found) return std::unexpected(std::move(found.error()));
  if (!layout.allows(Operation::gc)) return cleared;  // a newer program may share packs
  // An id may have several directories, when one was copied: its packs go with the last of them.
  // Packs without any directory are not ours to judge: it may have been moved away for a while.
  const auto judge = [&found](const BackupId& id) {
    if (found->kept.contains(id)) return PackFate::keep;
    return found->dead_ids.contains(id) ? PackFate::remove : PackFate::stray;
  };
  if (auto ok = unlist(layout, found->dead); !ok) return std::unexpected(std::move(ok.error()));
  // Packs first: while the directory is there, the next writer finds what is left to do.
  if (auto ok = remove_packs(layout, judge, cleared); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = remove_directories(layout, found->dead); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = clear_temporary_files(layout, cleared); !ok)
    return std::unexpected(std::move(ok.error()));
  cleared.backups = std::move(found->dead);
  return cleared;
}

Result<void> mark_removed(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto renamed = rename_head(*directory);
  if (!renamed) return std::unexpected(renamed.error());
  if (*renamed) return {};
  auto made = create_text(*directory, std::string(name::removed_head), "");
  if (!made && made.error().code != std::errc::file_exists) return made;
  return sync_directory(*directory);
}

Result<void> remove_backup_files(const Layout& layout, const BackupKey& key) {
  const auto shared = has_id_elsewhere(layout, key);
  if (!shared) return std::unexpected(shared.error());
  if (!*shared) {
    const auto doomed = parse_backup_id(key.id);
    const auto judge = [&doomed](const BackupId& id) {
      return id == doomed ? PackFate::remove : PackFate::keep;
    };
    Cleared ignored;
    if (auto ok = remove_packs(layout, judge, ignored); !ok) return ok;
  }
  return remove_directories(layout, {key});
}

}  // namespace sluice::storage
