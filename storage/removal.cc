#include "storage/removal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "storage/collection_note.h"
#include "storage/committed_backup.h"
#include "storage/needed_packs.h"
#include "storage/tombstone.h"
#include "storage/trash.h"

namespace sluice::storage {
namespace {

/// The pack that the file `entry` is or, under a temporary name, was to become.
std::optional<PackId> pack_of(std::string_view entry) {
  const std::string prefix = temporary_name("");
  if (entry.starts_with(prefix)) entry.remove_prefix(prefix.size());
  return parse_pack_id(entry);
}

/// Whether other backups may name packs of this one: not of one that was never committed.
Result<bool> may_be_shared(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto text = read_text(*directory, std::string(name::removed_head), format::text_bytes_max);
  if (!text && text.error().code == Errc::not_found) return false;
  if (!text) return true;
  const auto head = parse_head(*text, directory->path_of(name::removed_head), nullptr);
  return !head || head->state == HeadState::committed || head->state == HeadState::packs;
}

/// Ids, by what becomes of their packs.
struct Ids {
  std::set<BackupId> present;      // have a directory
  std::set<BackupId> kept;         // have one that stays
  std::set<BackupId> own;          // being removed, never committed
  std::set<BackupId> shared;       // being removed, were committed, or may have been
  std::set<BackupId> uncommitted;  // of these, those whose HEAD says that they were not
  std::set<BackupId> buried;       // have a tombstone and no directory
  std::set<BackupId> tombstones;
};

Result<Ids> sort_ids(const Layout& layout, const std::vector<BackupKey>& backups) {
  Ids ids;
  const auto instances = layout.instances();
  if (!instances) return std::unexpected(instances.error());
  for (const std::string& instance : *instances) {
    const auto found = layout.backup_ids(instance);
    if (!found) return std::unexpected(found.error());
    for (const BackupId& id : *found) {
      ids.present.insert(id);
      const BackupKey key{.instance = instance, .id = to_string(id)};
      if (std::ranges::find(backups, key) != backups.end()) continue;
      const auto removed = is_marked_removed(layout, key);
      if (!removed) return std::unexpected(removed.error());
      if (!*removed) ids.kept.insert(id);
    }
  }
  const auto buried = buried_ids(layout);
  if (!buried) return std::unexpected(buried.error());
  for (const BackupId& id : *buried) {
    ids.tombstones.insert(id);
    if (!ids.present.contains(id)) ids.buried.insert(id);
  }
  for (const BackupKey& key : backups) {
    const auto shared = may_be_shared(layout, key);
    if (!shared) return std::unexpected(shared.error());
    const BackupId id = parse_backup_id(key.id).value_or(BackupId{});
    // With a tombstone, the directory may be what a removal left that got as far as its last file.
    // With a manifest, HEAD may be an older one that was put back: others may name its packs.
    const auto directory = layout.backup(key);
    if (!directory) return std::unexpected(directory.error());
    const auto manifest = has_manifest(*directory);
    if (!manifest) return std::unexpected(manifest.error());
    (*shared || *manifest || ids.tombstones.contains(id) ? ids.shared : ids.own).insert(id);
    if (!*shared) ids.uncommitted.insert(id);
  }
  return ids;
}

/// Judges packs and removes what nobody needs.
class PackSweep {
 public:
  PackSweep(const Layout& layout, const RemovalOptions& options, Ids ids, Cleared& cleared)
      : layout_(layout), options_(options), ids_(std::move(ids)), cleared_(cleared) {}

  Result<void> run();
  /// Writes the tombstones that are needed and removes those that are not any more.
  Result<void> settle_tombstones(const AtStep& at_step);
  /// Has the directory of a backup gone, to the trash when it was committed.
  Result<void> put_away(const BackupKey& key, const AtStep& at_step);

 private:
  enum class Fate : std::uint8_t { keep, needed, trash, remove, stray };

  Result<void> survey();
  [[nodiscard]] Fate judge(const PackId& pack, bool is_temporary) const;
  Result<bool> settle_pack(const Directory& shard, const std::string& entry, const PackId& pack);
  Result<void> sweep_shard(const Directory& shard);
  Result<TrashHeap*> heap();
  /// Of those that were listed.
  [[nodiscard]] std::size_t removed_backups() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        ids_.shared, [this](const BackupId& id) { return !ids_.uncommitted.contains(id); }));
  }

  const Layout& layout_;
  RemovalOptions options_;
  Ids ids_;
  std::optional<TrashHeap> heap_;
  Cleared& cleared_;
  bool surveyed_ = false;
  NeededPacks needed_;
  std::set<BackupId> remaining_;  // ids of which a pack stays because it is needed
};

/// Only when it matters: it reads every manifest.
Result<void> PackSweep::survey() {
  if (std::ranges::includes(ids_.kept, ids_.shared)) return {};
  std::set<BackupId> of = ids_.shared;
  of.insert(ids_.buried.begin(), ids_.buried.end());
  auto needed = needed_packs(layout_, of);
  if (!needed) return std::unexpected(std::move(needed.error()));
  needed_ = *std::move(needed);
  surveyed_ = true;
  if (!needed_.unknown && !options_.accept_shrinkage)
    needed_.unknown = check_plausible(layout_, needed_.listed + removed_backups());
  cleared_.kept_because = needed_.unknown;
  return {};
}

PackSweep::Fate PackSweep::judge(const PackId& pack, bool is_temporary) const {
  const BackupId& id = pack.backup;
  if (ids_.kept.contains(id)) return Fate::keep;
  const bool shared = ids_.shared.contains(id) || (surveyed_ && ids_.buried.contains(id));
  if (shared) {
    if (is_temporary) return Fate::remove;
    if (needed_.unknown || needed_.packs.contains(pack)) return Fate::needed;
    return options_.keep_trash && !ids_.uncommitted.contains(id) ? Fate::trash : Fate::remove;
  }
  if (ids_.own.contains(id)) return Fate::remove;
  return ids_.present.contains(id) || ids_.buried.contains(id) ? Fate::keep : Fate::stray;
}

Result<TrashHeap*> PackSweep::heap() {
  if (!heap_) {
    auto made = TrashHeap::make(layout_);
    if (!made) return std::unexpected(std::move(made.error()));
    heap_ = *std::move(made);
  }
  return &*heap_;
}

/// True when the file is not there any more.
Result<bool> PackSweep::settle_pack(const Directory& shard, const std::string& entry,
                                    const PackId& pack) {
  const Fate fate = judge(pack, is_temporary_name(entry));
  if (fate == Fate::stray) ++cleared_.stray_packs;
  if (fate == Fate::needed) {
    ++cleared_.kept_packs;
    remaining_.insert(pack.backup);
  }
  if (fate != Fate::trash && fate != Fate::remove) return false;
  const std::uint64_t bytes = file_size(shard, entry).value_or(0);
  Result<void> done;
  if (fate == Fate::trash) {
    const auto to = heap();
    if (!to) return std::unexpected(to.error());
    done = (*to)->take_pack(shard, entry);
    ++cleared_.trashed_packs;
    cleared_.trashed_bytes += bytes;
  } else {
    done = remove_file(shard, entry);
  }
  if (!done) return std::unexpected(std::move(done.error()));
  ++cleared_.packs;
  cleared_.bytes += bytes;
  return true;
}

Result<void> PackSweep::sweep_shard(const Directory& shard) {
  const auto entries = list_directory(shard);
  if (!entries) return std::unexpected(entries.error());
  bool changed = false;
  for (const std::string& entry : *entries) {
    const auto pack = pack_of(entry);
    if (!pack) continue;  // not ours: left alone
    const auto gone = settle_pack(shard, entry, *pack);
    if (!gone) return std::unexpected(gone.error());
    changed = changed || *gone;
  }
  if (!changed) return {};
  if (heap_) {
    if (auto ok = heap_->settle(); !ok) return ok;
  }
  return sync_directory(shard);
}

Result<void> PackSweep::run() {
  if (auto ok = survey(); !ok) return ok;
  for (unsigned shard = 0; shard < format::shard_count; ++shard) {
    const auto directory = layout_.shard(shard);
    if (!directory) return std::unexpected(directory.error());
    if (auto ok = sweep_shard(*directory); !ok) return ok;
  }
  return {};
}

Result<void> PackSweep::settle_tombstones(const AtStep& at_step) {
  if (!surveyed_) return {};
  for (const BackupId& id : ids_.shared) {
    if (!remaining_.contains(id)) continue;
    if (auto ok = bury(layout_, id); !ok) return ok;
    if (at_step) at_step("tombstone_written");
  }
  std::vector<BackupId> done;
  for (const BackupId& id : ids_.tombstones) {
    const bool judged = ids_.buried.contains(id) || ids_.shared.contains(id);
    if (judged && !remaining_.contains(id) && !ids_.kept.contains(id)) done.push_back(id);
  }
  if (auto ok = remove_tombstones(layout_, done); !ok) return ok;
  if (at_step) at_step("tombstones_cleared");
  if (needed_.unknown)
    note_removed(layout_, removed_backups());
  else
    note_listed(layout_, needed_.listed);
  return {};
}

/// Before HEAD goes, lest a crash between the two looks like a good backup that lost its HEAD.
Result<void> remove_manifests(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto entries = list_directory(*directory);
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& entry : *entries) {
    if (!manifest_number(entry)) continue;
    if (auto ok = remove_file(*directory, entry); !ok) return ok;
  }
  return sync_directory(*directory);
}

Result<void> remove_directory_of(const Layout& layout, const BackupKey& key,
                                 const AtStep& at_step) {
  const auto instance = layout.instance(key.instance);
  if (!instance) return std::unexpected(instance.error());
  if (auto ok = remove_manifests(layout, key); !ok) return ok;
  if (at_step) at_step("manifests_removed");
  if (auto ok = remove_directory(*instance, key.id); !ok) return ok;
  return sync_directory(*instance);
}

Result<void> PackSweep::put_away(const BackupKey& key, const AtStep& at_step) {
  const auto directory = layout_.backup(key);
  if (!directory) return std::unexpected(directory.error());
  const auto was_backup = has_manifest(*directory);
  if (!was_backup) return std::unexpected(was_backup.error());
  const auto shared = may_be_shared(layout_, key);
  if (!shared) return std::unexpected(shared.error());
  if (options_.keep_trash && *shared && *was_backup) {
    const auto to = heap();
    if (!to) return std::unexpected(to.error());
    if (auto ok = (*to)->take_backup(key); !ok) return ok;
  } else if (auto ok = remove_directory_of(layout_, key, at_step); !ok) {
    return ok;
  }
  if (at_step) at_step("directory_removed");
  return {};
}

}  // namespace

Result<bool> is_marked_removed(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  return exists(*directory, std::string(name::removed_head));
}

// Needs no room, so it works on a full disk.
Result<bool> rename_head(const Directory& directory) {
  const int fd = directory.fd.get();
  const std::string from(name::head);
  const bool renamed =
      ::renameat(fd, from.c_str(), fd, std::string(name::removed_head).c_str()) == 0;
  if (!renamed && errno != ENOENT)
    return std::unexpected(system_error(errno, "renameat", directory.path_of(from)));
  if (auto ok = sync_directory(directory); !ok) return std::unexpected(std::move(ok.error()));
  return renamed;
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

Result<Cleared> remove_backup_files(const Layout& layout, const std::vector<BackupKey>& backups,
                                    const RemovalOptions& options, const AtStep& at_step) {
  Cleared cleared;
  auto ids = sort_ids(layout, backups);
  if (!ids) return std::unexpected(std::move(ids.error()));
  PackSweep sweep(layout, options, *std::move(ids), cleared);
  if (auto ok = sweep.run(); !ok) return std::unexpected(std::move(ok.error()));
  if (at_step) at_step("packs_removed");
  if (auto ok = sweep.settle_tombstones(at_step); !ok)
    return std::unexpected(std::move(ok.error()));
  for (const BackupKey& key : backups) {
    if (auto ok = sweep.put_away(key, at_step); !ok) return std::unexpected(std::move(ok.error()));
  }
  cleared.backups = backups;
  return cleared;
}

}  // namespace sluice::storage
