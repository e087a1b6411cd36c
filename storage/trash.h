#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/backup.h"
#include "storage/backup_id.h"
#include "storage/error.h"
#include "storage/file.h"
#include "storage/layout.h"

/// trash/: removed backups and the packs that nobody named any more, for as long as it may turn out
/// that they were needed. One directory for each removal, named as a backup id is, by when it was:
///
///   trash/<time and random>/packs/<pack id>
///   trash/<time and random>/instances/<instance>/<backup id>/…, with HEAD.removed
///
/// What changes it needs the repository's lock.
namespace sluice::storage {

/// Where one removal puts things. Its directories are made when they are first needed.
class TrashHeap {
 public:
  /// Named after all that there are, also when the clock went back.
  [[nodiscard]] static Result<TrashHeap> make(const Layout& layout);

  /// Moves a pack here. Not synced: settle() does that, then the shard must be.
  [[nodiscard]] Result<void> take_pack(const Directory& shard, const std::string& entry);
  /// Syncs the names of the packs taken since.
  [[nodiscard]] Result<void> settle();
  /// Moves the directory of a backup here, durably.
  [[nodiscard]] Result<void> take_backup(const BackupKey& key);

 private:
  TrashHeap(const Layout& layout, const BackupId& id) : layout_(&layout), id_(id) {}
  Result<Directory> make_below(std::string_view path) const;

  const Layout* layout_;  // outlives this
  BackupId id_;
  std::optional<Directory> packs_;
};

/// One heap, oldest first in lists.
struct TrashListing {
  BackupId heap;  ///< Its time is when it was made.
  std::vector<BackupKey> backups;
  std::vector<PackId> packs;
  std::uint64_t bytes = 0;  ///< Of the packs.
};

/// What is in the trash. Empty where there is none. Errors: of a listing.
[[nodiscard]] Result<std::vector<TrashListing>> list_trash(const Layout& layout);

/// The heap that holds a pack, as a directory; nullopt when none does.
[[nodiscard]] Result<std::optional<Directory>> find_in_trash(const Layout& layout,
                                                             const PackId& pack);

/// Puts a pack back where it was, durably. Nothing when it is there.
[[nodiscard]] Result<void> rescue_pack(const Layout& layout, const BackupId& heap,
                                       const PackId& pack);
/// Puts the directory of a backup back, durably, still marked removed.
[[nodiscard]] Result<void> rescue_directory(const Layout& layout, const BackupId& heap,
                                            const BackupKey& key);

/// Removes for good: packs, then directories of backups, then the heap, so that what is left of it
/// after a crash is a heap still. Durable.
[[nodiscard]] Result<void> empty_heap(const Layout& layout, const TrashListing& heap);

}  // namespace sluice::storage
