#include "engine/fragment_owners.h"

#include <algorithm>
#include <memory>

#include "engine/canonical_rdb.h"
#include "engine/fragment_list.h"
#include "engine/run_reader.h"
#include "storage/chunk_reader.h"

namespace sluice::engine {
namespace {

/// Adds the owners in one run.
void find_in_run(const OpenBackup& backup, const CanonicalMap& map, std::uint32_t ordinal,
                 std::span<const std::byte> raw, const std::vector<std::uint32_t>& fragments,
                 std::map<std::uint32_t, FragmentOwner>& owners) {
  auto run = RunReader::open(raw, "");
  if (!run) return;
  FragmentList list;
  Record record;
  while (run->next(record)) {
    if (!record.fragmented || !read_fragment_list(record.value, "", list)) continue;
    std::vector<std::uint32_t> hit;
    for (const Fragment& fragment : list.fragments) {
      const auto chunk = map.find_fragment(fragment.identity);
      if (chunk && std::ranges::binary_search(fragments, *chunk)) hit.push_back(*chunk);
    }
    std::ranges::sort(hit);
    const auto twice = std::ranges::unique(hit);
    hit.erase(twice.begin(), twice.end());
    for (const std::uint32_t chunk : hit) {
      FragmentOwner& owner = owners[chunk];
      if (owner.keys++ > 0) continue;
      owner.db = map.run(ordinal).db;
      owner.first_key = shown_key(record.key, backup.manifest);
    }
  }
}

}  // namespace

std::vector<std::uint32_t> runs_with_long_values(const OpenBackup& backup,
                                                 const CanonicalMap& map) {
  std::vector<std::uint32_t> runs;
  auto value = backup.manifest.long_values.begin();
  const auto end = backup.manifest.long_values.end();
  std::uint64_t records = 0;  // before the end of the run
  for (std::uint32_t i = map.runs().first; i < map.runs().end && value != end; ++i) {
    records += map.run(i).records;
    if (value->record >= records) continue;
    runs.push_back(i);
    while (value != end && value->record < records) ++value;
  }
  return runs;
}

std::map<std::uint32_t, FragmentOwner> find_fragment_owners(
    const storage::Repository& repository, const OpenBackup& backup, const CanonicalMap& map,
    const std::vector<std::uint32_t>& fragments) {
  std::map<std::uint32_t, FragmentOwner> owners;
  if (fragments.empty()) return owners;
  auto reader = storage::ChunkReader::open(repository, backup.stored, 0, 0);
  if (!reader) return owners;
  for (const std::uint32_t ordinal : runs_with_long_values(backup, map)) {
    if (const auto chunk = (*reader)->read(ordinal))
      find_in_run(backup, map, ordinal, chunk->raw, fragments, owners);
  }
  return owners;
}

}  // namespace sluice::engine
