#include "engine/parent_backup.h"

namespace sluice::engine {

Result<std::unique_ptr<ParentBackup>> ParentBackup::of(OpenBackup backup) {
  if (backup.manifest.layout != Manifest::layout_canonical) {
    return std::unexpected(Error{.stage = Stage::usage,
                                 .code = "bad_parent",
                                 .message = "backup " + backup.stored.key.id + " has layout " +
                                            backup.manifest.layout +
                                            ": only one in canonical layout can be a parent"});
  }
  std::unique_ptr<ParentBackup> parent(new ParentBackup(std::move(backup)));
  auto map = CanonicalMap::of(parent->backup.stored);
  if (!map) return std::unexpected(map.error());
  parent->map = *std::move(map);
  return parent;
}

std::vector<Fence> fences_of(const ParentBackup& parent, std::uint64_t partition_bytes) {
  std::vector<Fence> fences;
  const auto& chunks = parent.backup.stored.chunks;
  const ChunkRange runs = parent.map->runs();
  std::uint64_t bytes = 0;  // of the partition that the next run would go on
  for (std::uint32_t i = runs.first; i < runs.end; ++i) {
    const std::uint64_t db = parent.map->run(i).db;
    const bool new_db = fences.empty() || fences.back().db != db;
    const auto label = parent.map->label(i);
    // Of keys that agree further than a label goes, all labels are the same.
    const bool new_label = new_db || compare_labels(fences.back().label, label) < 0;
    if (new_label && (new_db || bytes >= partition_bytes)) {
      fences.push_back({.db = db, .label = {label.begin(), label.end()}});
      bytes = 0;
    }
    bytes += chunks[i].raw_bytes;
  }
  return fences;
}

}  // namespace sluice::engine
