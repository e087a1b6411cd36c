#include "storage/repack_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "storage/committed_backup.h"
#include "storage/needed_packs.h"
#include "storage/pack_reader.h"
#include "storage/tombstone.h"

namespace sluice::storage {
namespace {

/// Ids of backups that are gone while packs of them stay.
Result<std::set<BackupId>> gone_ids(const Layout& layout, const std::vector<BackupKey>& keys) {
  const auto buried = buried_ids(layout);
  if (!buried) return std::unexpected(buried.error());
  std::set<BackupId> ids(buried->begin(), buried->end());
  for (const BackupKey& key : keys) ids.erase(parse_backup_id(key.id).value_or(BackupId{}));
  return ids;
}

void add_live(const Backup& backup, const std::set<BackupId>& gone,
              std::map<PackId, ThinPack>& packs) {
  for (const BlobRef& blob : backup.blobs) {
    const PackRef& ref = backup.packs[blob.pack];
    if (!gone.contains(ref.id.backup)) continue;
    ThinPack& pack = packs.try_emplace(ref.id, ThinPack{.ref = ref, .live = {}}).first->second;
    if (pack.live.emplace(blob.offset, blob).second) pack.live_bytes += blob_bytes(blob);
  }
}

double live_part(const ThinPack& pack) {
  return static_cast<double>(pack.live_bytes) / static_cast<double>(pack.ref.file_bytes);
}

std::vector<ThinPack> choose(std::map<PackId, ThinPack> packs, const RepackOptions& options) {
  std::vector<ThinPack> chosen;
  for (auto& [id, pack] : packs) {
    if (live_part(pack) < options.live_part_max) chosen.push_back(std::move(pack));
  }
  std::ranges::stable_sort(chosen, {}, live_part);
  std::uint64_t bytes = 0;
  const auto end = std::ranges::find_if(chosen, [&](const ThinPack& pack) {
    bytes += pack.live_bytes;
    return bytes > options.bytes_max;
  });
  chosen.erase(end, chosen.end());
  return chosen;
}

}  // namespace

Result<RepackPlan> plan_repack(const Layout& layout, const RepackOptions& options) {
  const auto keys = layout.all_keys();
  if (!keys) return std::unexpected(keys.error());
  const auto gone = gone_ids(layout, *keys);
  if (!gone) return std::unexpected(gone.error());
  RepackPlan plan;
  if (gone->empty()) return plan;
  std::map<PackId, ThinPack> packs;
  for (const BackupKey& key : *keys) {
    const auto backup = read_backup(layout, key);
    if (!backup) {
      plan.unknown = backup.error();
      return plan;
    }
    if (*backup) add_live(**backup, *gone, packs);
  }
  plan.packs = choose(std::move(packs), options);
  return plan;
}

}  // namespace sluice::storage
