#include "storage/leftovers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
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

/// What to do with one backup directory.
enum class Fate : std::uint8_t { keep, remove };

Result<Fate> fate_of_running(const Layout& layout, const BackupKey& key, const Head& head,
                             std::string_view instance) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const bool same = key.instance == instance;
  const auto patience = !same && plainly_alive(head.owner) ? 0ms : dead_lock_patience;
  const auto lock = FileLock::acquire(*directory, std::string(name::writer_lock), patience);
  if (lock) return Fate::remove;
  if (lock.error().code != Errc::busy) return std::unexpected(lock.error());
  if (same) return busy_with(key, head.owner);
  return Fate::keep;
}

Result<Fate> fate_without_head(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto removed = exists(*directory, std::string(name::removed_head));
  if (!removed) return std::unexpected(removed.error());
  if (*removed) return Fate::remove;
  for (const std::string_view file : {name::manifest, name::manifest_copy}) {
    const auto there = exists(*directory, std::string(file));
    if (!there) return std::unexpected(there.error());
    if (*there) return Fate::keep;  // HEAD was lost, not never made: for a person to look at
  }
  return Fate::remove;
}

Result<Fate> fate_of(const Layout& layout, const BackupKey& key, std::string_view instance) {
  const auto head = layout.head(key);
  if (!head) {
    const bool damaged = head.error().code.category() == make_error_code(Errc::corrupt).category();
    if (damaged) return Fate::keep;
    return std::unexpected(head.error());
  }
  if (!*head) return fate_without_head(layout, key);
  switch ((*head)->state) {
    case HeadState::committed: return Fate::keep;
    case HeadState::running: return fate_of_running(layout, key, **head, instance);
  }
  return Fate::keep;
}

/// Every backup that has a directory, and those of them that must go.
struct Survey {
  std::set<BackupId> known;
  std::vector<BackupKey> dead;
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
      const auto fate = fate_of(layout, key, instance);
      if (!fate) return std::unexpected(fate.error());
      survey.known.insert(id);
      if (*fate == Fate::remove) survey.dead.push_back(std::move(key));
    }
  }
  return survey;
}

/// The backup that wrote the pack file `entry`, temporary or not.
std::optional<BackupId> owner_of_pack(std::string_view entry) {
  const std::string prefix = temporary_name("");
  if (entry.starts_with(prefix)) entry.remove_prefix(prefix.size());
  const auto id = parse_pack_id(entry);
  if (!id) return std::nullopt;  // not ours: left alone
  return id->backup;
}

Result<void> remove_packs(const Layout& layout, const std::function<bool(const BackupId&)>& doomed,
                          Cleared& cleared) {
  for (unsigned shard = 0; shard < format::shard_count; ++shard) {
    const auto directory = layout.shard(shard);
    if (!directory) return std::unexpected(directory.error());
    const auto entries = list_directory(*directory);
    if (!entries) return std::unexpected(entries.error());
    bool changed = false;
    for (const std::string& entry : *entries) {
      const auto owner = owner_of_pack(entry);
      if (!owner || !doomed(*owner)) continue;
      if (const auto file = open_for_reading(*directory, entry))
        cleared.bytes += size_of(*file, entry).value_or(0);
      if (auto ok = remove_file(*directory, entry); !ok) return ok;
      ++cleared.packs;
      changed = true;
    }
    if (!changed) continue;
    if (auto ok = sync_directory(*directory); !ok) return ok;
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
  std::set<BackupId> dead;
  for (const BackupKey& key : found->dead)
    dead.insert(parse_backup_id(key.id).value_or(BackupId{}));
  const auto doomed = [&](const BackupId& id) {
    return dead.contains(id) || !found->known.contains(id);
  };
  // Packs first: while the directory is there, the next writer finds what is left to do.
  if (auto ok = remove_packs(layout, doomed, cleared); !ok)
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
  const int fd = directory->fd.get();
  const std::string from(name::head);
  const std::string to(name::removed_head);
  if (::renameat(fd, from.c_str(), fd, to.c_str()) != 0) {
    if (errno != ENOENT)
      return std::unexpected(system_error(errno, "renameat", directory->path_of(from)));
    if (auto ok = create_text(*directory, to, ""); !ok && ok.error().code != std::errc::file_exists)
      return ok;
  }
  return sync_directory(*directory);
}

Result<void> remove_backups(const Layout& layout, std::vector<BackupKey> keys, Cleared& cleared) {
  for (const BackupKey& key : keys) {
    if (auto ok = mark_removed(layout, key); !ok) return ok;
  }
  std::set<BackupId> dead;
  for (const BackupKey& key : keys) dead.insert(parse_backup_id(key.id).value_or(BackupId{}));
  const auto doomed = [&dead](const BackupId& id) { return dead.contains(id); };
  if (auto ok = remove_packs(layout, doomed, cleared); !ok) return ok;
  if (auto ok = remove_directories(layout, keys); !ok) return ok;
  cleared.backups.insert(cleared.backups.end(), keys.begin(), keys.end());
  return {};
}

}  // namespace sluice::storage
