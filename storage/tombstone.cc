#include "storage/tombstone.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace sluice::storage {
namespace {

constexpr std::string_view prefix = "removed-";

std::string tombstone_name(const BackupId& id) {
  return fmt::format("{}{}", prefix, to_string(id));
}

}  // namespace

Result<bool> is_buried(const Layout& layout, const BackupId& id) {
  return exists(layout.root(), fmt::format("{}/{}", name::gc, tombstone_name(id)));
}

Result<std::vector<BackupId>> buried_ids(const Layout& layout) {
  std::vector<BackupId> ids;
  const auto directory = layout.directory(name::gc);
  if (!directory && directory.error().code == std::errc::no_such_file_or_directory) return ids;
  if (!directory) return std::unexpected(directory.error());
  const auto entries = list_directory(*directory);
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& entry : *entries) {
    if (!entry.starts_with(prefix)) continue;
    if (const auto id = parse_backup_id(std::string_view(entry).substr(prefix.size())))
      ids.push_back(*id);
  }
  return ids;
}

Result<void> bury(const Layout& layout, const BackupId& id) {
  if (auto ok = make_directory(layout.root(), std::string(name::gc)); !ok) return ok;
  if (auto ok = sync_directory(layout.root()); !ok) return ok;
  const auto directory = layout.directory(name::gc);
  if (!directory) return std::unexpected(directory.error());
  // Empty, so whole as soon as it has its name.
  const std::string name = tombstone_name(id);
  const Fd file(::openat(directory->fd.get(), name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400));
  if (!file && errno != EEXIST)
    return std::unexpected(system_error(errno, "openat", directory->path_of(name)));
  if (file && (::fchmod(file.get(), 0400) != 0 || ::fsync(file.get()) != 0))
    return std::unexpected(system_error(errno, "fsync", directory->path_of(name)));
  return sync_directory(*directory);
}

Result<void> remove_tombstones(const Layout& layout, const std::vector<BackupId>& ids) {
  if (ids.empty()) return {};
  const auto directory = layout.directory(name::gc);
  if (!directory) return std::unexpected(directory.error());
  for (const BackupId& id : ids) {
    if (auto ok = remove_file(*directory, tombstone_name(id)); !ok) return ok;
  }
  return sync_directory(*directory);
}

}  // namespace sluice::storage
