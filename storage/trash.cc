#include "storage/trash.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::storage {
namespace {

std::string heap_path(const BackupId& heap) {
  return fmt::format("{}/{}", name::trash, to_string(heap));
}

bool is_missing(const Error& error) {
  return error.code == std::errc::no_such_file_or_directory || error.code == Errc::not_found;
}

/// Where there is no directory of that name there is nothing in it.
Result<std::vector<std::string>> list_if_there(const Layout& layout, const std::string& path) {
  const auto directory = layout.directory(path);
  if (!directory && is_missing(directory.error())) return std::vector<std::string>();
  if (!directory) return std::unexpected(directory.error());
  return list_directory(*directory);
}

Result<std::vector<BackupId>> heaps(const Layout& layout) {
  const auto entries = list_if_there(layout, std::string(name::trash));
  if (!entries) return std::unexpected(entries.error());
  std::vector<BackupId> ids;
  for (const std::string& entry : *entries) {
    if (const auto id = parse_backup_id(entry)) ids.push_back(*id);
  }
  return ids;
}

/// Opens the directory at `path` below the root, making what is missing of it, durably.
Result<Directory> make_path(const Layout& layout, std::string_view path) {
  std::string made;
  while (made.size() < path.size()) {
    const std::size_t end = std::min(path.find('/', made.size() + 1), path.size());
    const auto parent = made.empty() ? open_directory(layout.root(), ".") : layout.directory(made);
    if (!parent) return std::unexpected(parent.error());
    const std::size_t begin = made.empty() ? 0 : made.size() + 1;
    const std::string part(path.substr(begin, end - begin));
    if (auto ok = make_directory(*parent, part); !ok) return std::unexpected(std::move(ok.error()));
    if (auto ok = sync_directory(*parent); !ok) return std::unexpected(std::move(ok.error()));
    made = path.substr(0, end);
  }
  return layout.directory(path);
}

/// The new place first: after a power cut it is under either name, or both.
Result<void> sync_both(const Directory& to, const Directory& from) {
  if (auto ok = sync_directory(to); !ok) return ok;
  return sync_directory(from);
}

Result<void> read_heap(const Layout& layout, TrashListing& heap) {
  const std::string path = heap_path(heap.heap);
  const auto packs = list_if_there(layout, path + "/packs");
  if (!packs) return std::unexpected(packs.error());
  for (const std::string& entry : *packs) {
    const auto pack = parse_pack_id(entry);
    if (!pack) continue;
    heap.packs.push_back(*pack);
    heap.bytes += file_size(layout.root(), fmt::format("{}/packs/{}", path, entry)).value_or(0);
  }
  const auto instances = list_if_there(layout, path + "/instances");
  if (!instances) return std::unexpected(instances.error());
  for (const std::string& instance : *instances) {
    const auto ids = list_if_there(layout, fmt::format("{}/instances/{}", path, instance));
    if (!ids) return std::unexpected(ids.error());
    for (const std::string& id : *ids) {
      if (parse_backup_id(id)) heap.backups.push_back({.instance = instance, .id = id});
    }
  }
  return {};
}

/// Removes an empty directory; one that has something else in it stays.
Result<void> remove_if_empty(const Directory& parent, const std::string& entry) {
  if (::unlinkat(parent.fd.get(), entry.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT ||
      errno == ENOTEMPTY || errno == EEXIST)
    return {};
  return std::unexpected(system_error(errno, "rmdir", parent.path_of(entry)));
}

Result<void> remove_backups(const Layout& layout, const TrashListing& heap) {
  for (const BackupKey& key : heap.backups) {
    const auto parent =
        layout.directory(fmt::format("{}/instances/{}", heap_path(heap.heap), key.instance));
    if (!parent) return std::unexpected(parent.error());
    if (auto ok = remove_directory(*parent, key.id); !ok) return ok;
  }
  return {};
}

}  // namespace

Result<TrashHeap> TrashHeap::make(const Layout& layout) {
  const auto there = heaps(layout);
  if (!there) return std::unexpected(there.error());
  std::optional<BackupId> newest;
  if (!there->empty()) newest = there->back();
  const auto id = make_backup_id(newest);
  if (!id) return std::unexpected(id.error());
  return TrashHeap(layout, *id);
}

Result<Directory> TrashHeap::make_below(std::string_view path) const {
  return make_path(*layout_, fmt::format("{}/{}", heap_path(id_), path));
}

Result<void> TrashHeap::take_pack(const Directory& shard, const std::string& entry) {
  if (!packs_) {
    auto made = make_below("packs");
    if (!made) return std::unexpected(std::move(made.error()));
    packs_ = *std::move(made);
  }
  return rename_entry(shard, entry, *packs_, entry);
}

Result<void> TrashHeap::settle() { return packs_ ? sync_directory(*packs_) : Result<void>(); }

Result<void> TrashHeap::take_backup(const BackupKey& key) {
  const auto from = layout_->instance(key.instance);
  if (!from) return std::unexpected(from.error());
  const auto to = make_below("instances/" + key.instance);
  if (!to) return std::unexpected(to.error());
  if (auto ok = rename_entry(*from, key.id, *to, key.id); !ok) return ok;
  return sync_both(*to, *from);
}

Result<std::vector<TrashListing>> list_trash(const Layout& layout) {
  const auto ids = heaps(layout);
  if (!ids) return std::unexpected(ids.error());
  std::vector<TrashListing> listing;
  for (const BackupId& id : *ids) {
    TrashListing heap{.heap = id, .backups = {}, .packs = {}, .bytes = 0};
    if (auto ok = read_heap(layout, heap); !ok) return std::unexpected(std::move(ok.error()));
    listing.push_back(std::move(heap));
  }
  return listing;
}

Result<std::optional<Directory>> find_in_trash(const Layout& layout, const PackId& pack) {
  const auto ids = heaps(layout);
  if (!ids) return std::unexpected(ids.error());
  for (const BackupId& id : *ids) {
    auto directory = layout.directory(heap_path(id) + "/packs");
    if (!directory && is_missing(directory.error())) continue;
    if (!directory) return std::unexpected(directory.error());
    const auto there = exists(*directory, to_string(pack));
    if (!there) return std::unexpected(there.error());
    if (*there) return *std::move(directory);
  }
  return std::nullopt;
}

Result<void> rescue_pack(const Layout& layout, const BackupId& heap, const PackId& pack) {
  const auto from = layout.directory(heap_path(heap) + "/packs");
  if (!from) return std::unexpected(from.error());
  const auto to = layout.shard(shard_of(pack));
  if (!to) return std::unexpected(to.error());
  const auto there = exists(*to, to_string(pack));
  if (!there) return std::unexpected(there.error());
  if (*there) return {};
  if (auto ok = rename_entry(*from, to_string(pack), *to, to_string(pack)); !ok) return ok;
  return sync_both(*to, *from);
}

Result<void> rescue_directory(const Layout& layout, const BackupId& heap, const BackupKey& key) {
  const auto from = layout.directory(fmt::format("{}/instances/{}", heap_path(heap), key.instance));
  if (!from) return std::unexpected(from.error());
  const auto to = make_path(layout, fmt::format("{}/{}", name::instances, key.instance));
  if (!to) return std::unexpected(to.error());
  if (auto ok = rename_entry(*from, key.id, *to, key.id); !ok) return ok;
  return sync_both(*to, *from);
}

Result<void> empty_heap(const Layout& layout, const TrashListing& heap) {
  const std::string path = heap_path(heap.heap);
  if (!heap.packs.empty()) {
    const auto packs = layout.directory(path + "/packs");
    if (!packs) return std::unexpected(packs.error());
    for (const PackId& pack : heap.packs) {
      if (auto ok = remove_file(*packs, to_string(pack)); !ok) return ok;
    }
    if (auto ok = sync_directory(*packs); !ok) return ok;
  }
  if (auto ok = remove_backups(layout, heap); !ok) return ok;
  const auto directory = layout.directory(path);
  if (!directory) return std::unexpected(directory.error());
  const auto instances = list_if_there(layout, path + "/instances");
  if (!instances) return std::unexpected(instances.error());
  for (const std::string& instance : *instances) {
    if (auto ok = remove_if_empty(*directory, "instances/" + instance); !ok) return ok;
  }
  for (const char* part : {"packs", "instances"}) {
    if (auto ok = remove_if_empty(*directory, part); !ok) return ok;
  }
  const auto trash = layout.directory(name::trash);
  if (!trash) return std::unexpected(trash.error());
  if (auto ok = remove_if_empty(*trash, to_string(heap.heap)); !ok) return ok;
  return sync_directory(*trash);
}

}  // namespace sluice::storage
