#include "storage/collection.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/collection_note.h"
#include "storage/committed_backup.h"
#include "storage/needed_packs.h"
#include "storage/trash.h"

namespace sluice::storage {
namespace {

std::vector<TrashListing> made_before(std::vector<TrashListing> heaps, std::uint64_t before_ms) {
  std::erase_if(heaps, [&](const TrashListing& heap) { return heap.heap.time_ms >= before_ms; });
  return heaps;
}

/// What is read is acted upon only if it was so at one moment. One reading could be outrun: a
/// backup that is read before it commits, upon a parent that is read after it was removed. Where
/// removals need the lock that is held here that cannot be; where they do not, this keeps it from
/// happening.
Result<NeededPacks> survey(const Layout& layout, const std::vector<TrashListing>& heaps,
                           const RemovalOptions& options) {
  std::set<BackupId> owners;
  for (const TrashListing& heap : heaps) {
    for (const PackId& pack : heap.packs) owners.insert(pack.backup);
  }
  const auto before = needed_packs(layout, owners);
  if (!before || before->unknown) return before;
  auto needed = needed_packs(layout, owners);
  if (!needed || needed->unknown) return needed;
  if (needed->reading != before->reading) {
    needed->unknown = Error{.code = Errc::changed,
                            .detail = layout.root().path_of(name::instances) +
                                      ": backups came or went while they were read"};
  } else if (!options.accept_shrinkage) {
    needed->unknown = check_plausible(layout, needed->listed);
  }
  return needed;
}

/// Packs that are named after all go back; the heap is told without them.
Result<void> rescue(const Layout& layout, const NeededPacks& needed, TrashListing& heap,
                    Emptied& emptied) {
  std::vector<PackId> rest;
  for (const PackId& pack : heap.packs) {
    if (!needed.packs.contains(pack)) {
      rest.push_back(pack);
      continue;
    }
    if (auto ok = rescue_pack(layout, heap.heap, pack); !ok) return ok;
    ++emptied.rescued_packs;
  }
  heap.packs = std::move(rest);
  return {};
}

const TrashListing* heap_of(const std::vector<TrashListing>& heaps, const BackupKey& key) {
  for (const TrashListing& heap : heaps) {
    for (const BackupKey& backup : heap.backups) {
      if (backup == key) return &heap;
    }
  }
  return nullptr;
}

/// From whichever heap it is in. Errc::not_found when it is nowhere.
Result<void> bring_back(const Layout& layout, const std::vector<TrashListing>& heaps,
                        const PackId& pack) {
  const auto there = exists(layout.root(), Layout::pack_name(pack));
  if (!there) return std::unexpected(there.error());
  if (*there) return {};
  for (const TrashListing& heap : heaps) {
    for (const PackId& trashed : heap.packs) {
      if (trashed == pack) return rescue_pack(layout, heap.heap, pack);
    }
  }
  return std::unexpected(
      Error{.code = Errc::not_found,
            .detail = fmt::format("{}, which the backup needs", Layout::pack_name(pack))});
}

/// What the manifest of a backup in the trash says of packs.
Result<ManifestPacks> packs_of_trashed(const Layout& layout, const BackupId& heap,
                                       const BackupKey& key) {
  const auto directory = layout.directory(
      fmt::format("{}/{}/instances/{}/{}", name::trash, to_string(heap), key.instance, key.id));
  if (!directory) return std::unexpected(directory.error());
  const std::string head_file(name::removed_head);
  const auto text = read_text(*directory, head_file, format::text_bytes_max);
  if (!text) return std::unexpected(text.error());
  const auto head = parse_head(*text, directory->path_of(head_file), layout.head_key());
  if (!head) return std::unexpected(head.error());
  const ManifestNames names = manifest_names(head->manifest_number);
  auto packs = read_manifest_packs(*directory, names.manifest, key, layout.stamp());
  if (packs) return packs;
  return read_manifest_packs(*directory, names.copy, key, layout.stamp());
}

Result<void> unmark(const Layout& layout, const BackupKey& key) {
  const auto directory = layout.backup(key);
  if (!directory) return std::unexpected(directory.error());
  if (auto ok = rename_entry(*directory, std::string(name::removed_head), *directory,
                             std::string(name::head));
      !ok)
    return ok;
  return sync_directory(*directory);
}

}  // namespace

Result<Emptied> empty_trash(const Layout& layout, std::uint64_t before_ms,
                            const RemovalOptions& options, const AtStep& at_step) {
  Emptied emptied;
  auto all = list_trash(layout);
  if (!all) return std::unexpected(std::move(all.error()));
  auto heaps = made_before(*std::move(all), before_ms);
  if (heaps.empty()) return emptied;
  const auto needed = survey(layout, heaps, options);
  if (!needed) return std::unexpected(needed.error());
  emptied.kept_because = needed->unknown;
  for (TrashListing& heap : heaps) {
    if (auto ok = rescue(layout, *needed, heap, emptied); !ok)
      return std::unexpected(std::move(ok.error()));
    if (needed->unknown) continue;
    if (at_step) at_step("trash_judged");
    emptied.packs += heap.packs.size();
    emptied.backups += heap.backups.size();
    emptied.bytes += heap.bytes;
    if (auto ok = empty_heap(layout, heap); !ok) return std::unexpected(std::move(ok.error()));
    if (at_step) at_step("trash_emptied");
  }
  if (!needed->unknown) note_listed(layout, needed->listed);
  return emptied;
}

Result<void> restore_from_trash(const Layout& layout, const BackupKey& key) {
  const auto heaps = list_trash(layout);
  if (!heaps) return std::unexpected(heaps.error());
  const TrashListing* heap = heap_of(*heaps, key);
  if (heap == nullptr) {
    return std::unexpected(Error{.code = Errc::not_found,
                                 .detail = fmt::format("backup {}/{} in {}", key.instance, key.id,
                                                       layout.root().path_of(name::trash))});
  }
  const auto packs = packs_of_trashed(layout, heap->heap, key);
  if (!packs) return std::unexpected(packs.error());
  for (const PackRef& pack : packs->packs) {
    if (auto ok = bring_back(layout, *heaps, pack.id); !ok) return ok;
  }
  if (auto ok = rescue_directory(layout, heap->heap, key); !ok) return ok;
  return unmark(layout, key);
}

Removed removed_of(const Cleared& cleared) {
  return {.packs = cleared.packs,
          .bytes = cleared.bytes,
          .kept_packs = cleared.kept_packs,
          .kept_because = cleared.kept_because};
}

}  // namespace sluice::storage
