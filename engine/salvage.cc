#include "engine/salvage.h"

#include <memory>
#include <utility>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "engine/fragment_list.h"
#include "engine/output_file.h"
#include "engine/run_reader.h"
#include "engine/stream_salvage.h"
#include "storage/chunk_reader.h"

namespace sluice::engine {
namespace {

/// Salvages a backup in canonical layout.
class CanonicalSalvage {
 public:
  CanonicalSalvage(const SalvageSetting& setting, CanonicalRdb& rdb)
      : setting_(setting), map_(*setting.map), rdb_(rdb) {}

  Result<void> run(OutputFile& file, const JobContext& job);
  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }

 private:
  [[nodiscard]] bool is_whole(ChunkRange range) const;
  [[nodiscard]] bool is_whole(const Record& record);
  Result<void> copy_run(std::uint32_t ordinal, std::span<const std::byte> raw);

  const SalvageSetting& setting_;
  const CanonicalMap& map_;
  CanonicalRdb& rdb_;
  FragmentList list_;
  std::uint64_t keys_ = 0;
};

bool CanonicalSalvage::is_whole(ChunkRange range) const {
  for (std::uint32_t i = range.first; i < range.end; ++i) {
    if (setting_.lost[i]) return false;
  }
  return true;
}

bool CanonicalSalvage::is_whole(const Record& record) {
  if (!record.fragmented) return true;
  if (!read_fragment_list(record.value, "", list_)) return false;
  for (const Fragment& fragment : list_.fragments) {
    const auto chunk = map_.find_fragment(fragment.identity);
    const bool is_there = chunk && !setting_.lost[*chunk] &&
                          setting_.backup->stored.chunks[*chunk].raw_bytes == fragment.raw_bytes;
    if (!is_there) return false;
  }
  return true;
}

Result<void> CanonicalSalvage::copy_run(std::uint32_t ordinal, std::span<const std::byte> raw) {
  auto run = RunReader::open(raw, "");
  if (!run) return {};  // lost like one that cannot be read
  const std::uint64_t db = map_.run(ordinal).db;
  Record record;
  while (run->next(record)) {
    if (!is_whole(record)) continue;
    if (auto copied = rdb_.record(db, record); !copied) return copied;
    ++keys_;
  }
  return {};
}

Result<void> CanonicalSalvage::run(OutputFile& file, const JobContext& job) {
  auto reader = storage::ChunkReader::open(*setting_.repository, setting_.backup->stored,
                                           map_.runs().first, map_.runs().size());
  if (!reader) return std::unexpected(from_storage(reader.error()));
  if (!is_whole(map_.head())) {
    rdb_.begin_bare();
  } else if (auto begun = rdb_.begin(); !begun) {
    return begun;
  }
  for (std::uint32_t i = map_.runs().first; i < map_.runs().end; ++i) {
    if (job.stop.stop_requested()) return std::unexpected(cancelled());
    const auto chunk = (*reader)->next();
    if (!chunk || setting_.lost[i]) continue;
    if (auto copied = copy_run(i, (*chunk)->raw); !copied) return copied;
    if (file.error()) return std::unexpected(*file.error());
  }
  return rdb_.end(is_whole(map_.tail()));
}

Result<std::uint64_t> salvage_canonical(const SalvageSetting& setting, OutputFile& file,
                                        const JobContext& job) {
  auto rdb =
      CanonicalRdb::open(*setting.repository, *setting.backup,
                         [&file](std::span<const std::byte> bytes) { (void)file.write(bytes); });
  if (!rdb) return std::unexpected(rdb.error());
  CanonicalSalvage salvage(setting, **rdb);
  if (auto run = salvage.run(file, job); !run) return std::unexpected(run.error());
  return salvage.keys();
}

}  // namespace

Result<Salvaged> salvage(const SalvageSetting& setting, const JobContext& job) {
  const Manifest& manifest = setting.backup->manifest;
  const bool is_stream = manifest.layout == Manifest::layout_stream;
  if (!is_stream && setting.map == nullptr) {
    return std::unexpected(Error{.stage = Stage::storage,
                                 .code = "unsupported_format",
                                 .message = "backup " + setting.backup->stored.key.id +
                                            " cannot be salvaged: its chunks are in no order that "
                                            "is known here"});
  }
  auto file = OutputFile::open(setting.file);
  if (!file) return std::unexpected(file.error());
  const auto keys =
      is_stream ? salvage_stream(setting, **file, job) : salvage_canonical(setting, **file, job);
  if (!keys) return std::unexpected(keys.error());
  if ((*file)->error()) return std::unexpected(*(*file)->error());
  if (auto written = (*file)->commit(); !written) return std::unexpected(written.error());
  return Salvaged{.file = setting.file,
                  .keys = *keys,
                  .lost_keys = manifest.keys > *keys ? manifest.keys - *keys : 0};
}

}  // namespace sluice::engine
