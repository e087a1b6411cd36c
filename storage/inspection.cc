#include "storage/inspection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

namespace sluice::storage {
namespace {

constexpr unsigned first_minor_with_copy = 2;
constexpr std::string_view collection = "gc";
constexpr std::string_view tombstone = "removed-";

/// Owner and mode of one entry. One that is gone meanwhile is none.
void look_at(const Directory& parent, const std::string& entry, const std::string& path,
             Inspection& found) {
  struct stat status{};
  if (::fstatat(parent.fd.get(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISLNK(status.st_mode)) return;  // its mode says nothing
  if (status.st_uid != ::geteuid()) found.foreign.add(path);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    found.open_to_write.add(path);
  else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    found.open_to_read.add(path);
  const bool directory = S_ISDIR(status.st_mode);
  if (directory && ::faccessat(parent.fd.get(), entry.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    found.unwritable.add(path);
}

/// look_at() each entry of a directory, and lists it.
Result<std::vector<std::string>> look_into(const Directory& directory, std::string_view path,
                                           Inspection& found) {
  auto entries = list_directory(directory);
  if (!entries) return entries;
  for (const std::string& entry : *entries)
    look_at(directory, entry, fmt::format("{}/{}", path, entry), found);
  return entries;
}

Result<void> look_at_top(const Layout& layout, Inspection& found) {
  look_at(layout.root(), ".", ".", found);
  for (const std::string_view entry : {name::mark, name::mark_copy, name::lock, name::packs,
                                       name::instances, name::tmp, name::io_hint, name::keys})
    look_at(layout.root(), std::string(entry), std::string(entry), found);
  if (const auto keys = layout.directory(name::keys)) {
    const auto slots = look_into(*keys, name::keys, found);
    if (!slots) return std::unexpected(slots.error());
  }
  const auto tmp = layout.directory(name::tmp);
  if (!tmp) return std::unexpected(tmp.error());
  const auto entries = list_directory(*tmp);
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& entry : *entries)
    found.temporary.add(fmt::format("{}/{}", name::tmp, entry));
  return {};
}

std::optional<Error> damage_of_mark(const Layout& layout, std::string_view file) {
  const std::string object = layout.root().path_of(file);
  const auto text = read_text(layout.root(), std::string(file), format::text_bytes_max);
  if (!text) return text.error();
  const auto mark = parse_mark(*text, object);
  if (!mark) return mark.error();
  if (mark->repository_id == layout.mark().repository_id) return std::nullopt;
  return Error{.code = Errc::corrupt,
               .detail = fmt::format("{}: of repository {}", object, mark->repository_id)};
}

/// Whether somebody holds the writer's lock of a backup. Asked in a way that makes and leaves
/// nothing.
bool is_locked(const Directory& backup) {
  const std::string lock(name::writer_lock);
  const Fd fd(::openat(backup.fd.get(), lock.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

void look_at_writer(const Layout& layout, const BackupKey& key, Inspection& found) {
  const auto directory = layout.backup(key);
  if (!directory) return;
  const std::string title = fmt::format("{}/{}", key.instance, key.id);
  if (exists(*directory, std::string(name::removed_head)).value_or(false)) {
    found.dead_writers.add(title);
    return;
  }
  const auto head = layout.head(key);
  if (!head || !*head || (*head)->state == HeadState::committed) return;
  if ((*head)->state != HeadState::running) {
    found.dead_writers.add(title);
    return;
  }
  if (is_locked(*directory)) {
    found.live_writers.add(title);
    return;
  }
  const auto now = layout.head(key);  // it may have committed before it let go of the lock
  if (now && *now && (*now)->state == HeadState::running) found.dead_writers.add(title);
}

/// Gives the ids of all backups that have a directory.
Result<std::set<BackupId>> look_at_backups(const Layout& layout, Inspection& found) {
  std::set<BackupId> ids;
  const auto instances = layout.instances();
  if (!instances) return std::unexpected(instances.error());
  for (const std::string& instance : *instances) {
    const std::string path = fmt::format("{}/{}", name::instances, instance);
    look_at(layout.root(), path, path, found);
    const auto of_instance = layout.backup_ids(instance);
    if (!of_instance) return std::unexpected(of_instance.error());
    for (const BackupId& id : *of_instance) {
      ids.insert(id);
      const BackupKey key{.instance = instance, .id = to_string(id)};
      look_at_writer(layout, key, found);
      const std::string below = fmt::format("{}/{}", path, key.id);
      look_at(layout.root(), below, below, found);
      const auto directory = layout.backup(key);
      if (!directory) continue;
      if (const auto seen = look_into(*directory, below, found); !seen)
        return std::unexpected(seen.error());
    }
  }
  return ids;
}

/// Adds the ids of backups that were removed, but of whose packs others still use some.
void add_removed(const Layout& layout, std::set<BackupId>& ids) {
  const auto directory = layout.directory(collection);
  if (!directory) return;
  const auto entries = list_directory(*directory);
  if (!entries) return;
  for (const std::string& entry : *entries) {
    if (!entry.starts_with(tombstone)) continue;
    if (const auto id = parse_backup_id(std::string_view(entry).substr(tombstone.size())))
      ids.insert(*id);
  }
}

Result<void> look_at_packs(const Layout& layout, const std::set<BackupId>& ids, Inspection& found) {
  for (unsigned shard = 0; shard < format::shard_count; ++shard) {
    const auto directory = layout.shard(shard);
    if (!directory) return std::unexpected(directory.error());
    const std::string path = fmt::format("{}/{}", name::packs, shard_name(shard));
    look_at(layout.root(), path, path, found);
    const auto entries = look_into(*directory, path, found);
    if (!entries) return std::unexpected(entries.error());
    for (const std::string& entry : *entries) {
      const std::string whole = fmt::format("{}/{}", path, entry);
      if (is_temporary_name(entry)) found.temporary.add(whole);
      const auto pack = parse_pack_id(entry);
      if (!pack || ids.contains(pack->backup)) continue;
      found.stray_packs.add(whole);
      found.stray_bytes += file_size(*directory, entry).value_or(0);
    }
  }
  return {};
}

}  // namespace

Result<Inspection> inspect(const Layout& layout) {
  Inspection found;
  found.mark_damage = damage_of_mark(layout, name::mark);
  if (layout.mark().minor >= first_minor_with_copy)
    found.mark_copy_damage = damage_of_mark(layout, name::mark_copy);
  if (auto ok = look_at_top(layout, found); !ok) return std::unexpected(std::move(ok.error()));
  auto ids = look_at_backups(layout, found);
  if (!ids) return std::unexpected(std::move(ids.error()));
  add_removed(layout, *ids);
  if (auto ok = look_at_packs(layout, *ids, found); !ok)
    return std::unexpected(std::move(ok.error()));
  return found;
}

}  // namespace sluice::storage
