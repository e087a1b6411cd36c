#include "engine/backup_stream.h"

#include <memory>
#include <vector>

#include "engine/canonical_rdb.h"
#include "engine/errors.h"
#include "storage/chunk_reader.h"

namespace sluice::engine {

namespace {

Result<std::unique_ptr<storage::ChunkReader>> open_reader(const storage::Repository& repository,
                                                          const OpenBackup& backup,
                                                          ChunkRange chunks) {
  auto reader = storage::ChunkReader::open(repository, backup.stored, chunks.first, chunks.size());
  if (!reader) return std::unexpected(from_storage(reader.error()));
  return std::move(*reader);
}

Result<void> know_layout(const OpenBackup& backup) {
  if (backup.manifest.layout == Manifest::layout_stream ||
      backup.manifest.layout == Manifest::layout_canonical) {
    return {};
  }
  return std::unexpected(Error{.stage = Stage::storage,
                               .code = "unsupported_format",
                               .message = "backup " + backup.stored.key.id + " has layout \"" +
                                          backup.manifest.layout +
                                          "\", which this sluice cannot read: use a newer one"});
}

/// Calls `take` with each of the chunks, in order.
Result<void> for_each_chunk(const storage::Repository& repository, const OpenBackup& backup,
                            ChunkRange chunks, const JobContext& job,
                            const std::function<Result<void>(const storage::ChunkView&)>& take) {
  auto reader = open_reader(repository, backup, chunks);
  if (!reader) return std::unexpected(reader.error());
  if (const std::string& reason = (*reader)->io_fallback_reason();
      !reason.empty() && job.observer != nullptr) {
    job.observer->on_notice("io_uring is not used, threads do its work: " + reason);
  }
  while (true) {
    if (job.stop.stop_requested()) return std::unexpected(cancelled());
    const auto chunk = (*reader)->next();
    if (!chunk) return std::unexpected(from_storage(chunk.error()));
    if (!*chunk) return {};
    if (auto taken = take(**chunk); !taken) return taken;
  }
}

Result<void> read_canonical(const storage::Repository& repository, const OpenBackup& backup,
                            const RdbSink& sink, const JobContext& job) {
  Result<void> taken;  // of the sink, which the writer cannot ask
  auto rdb = CanonicalRdb::open(repository, backup, [&](std::span<const std::byte> bytes) {
    if (taken) taken = sink(bytes);
  });
  if (!rdb) return std::unexpected(rdb.error());
  const auto checked = [&taken](Result<void> done) { return taken ? std::move(done) : taken; };
  if (auto begun = checked((*rdb)->begin()); !begun) return begun;
  const auto take = [&](const storage::ChunkView& chunk) {
    return checked((*rdb)->run(chunk.ordinal, chunk.raw));
  };
  if (auto read = for_each_chunk(repository, backup, (*rdb)->map().runs(), job, take); !read)
    return read;
  return checked((*rdb)->end());
}

}  // namespace

Result<void> probe(const storage::Repository& repository, const OpenBackup& backup) {
  if (auto known = know_layout(backup); !known) return known;
  auto reader = open_reader(repository, backup, {});
  if (!reader) return std::unexpected(reader.error());
  std::vector<bool> seen(backup.stored.packs.size());
  for (std::uint32_t i = 0; i < backup.stored.chunks.size(); ++i) {
    bool new_pack = false;
    for (const storage::BlobRef& blob : backup.stored.blobs_of(i)) {
      new_pack = new_pack || !seen[blob.pack];
      seen[blob.pack] = true;
    }
    if (!new_pack) continue;
    if (const auto chunk = (*reader)->read(i); !chunk) {
      return std::unexpected(from_storage(chunk.error()));
    }
  }
  return {};
}

Result<void> read_rdb(const storage::Repository& repository, const OpenBackup& backup,
                      const RdbSink& sink, const JobContext& job) {
  if (auto known = know_layout(backup); !known) return known;
  if (backup.manifest.layout == Manifest::layout_canonical)
    return read_canonical(repository, backup, sink, job);
  const ChunkRange all{.first = 0, .end = static_cast<std::uint32_t>(backup.stored.chunks.size())};
  return for_each_chunk(repository, backup, all, job,
                        [&](const storage::ChunkView& chunk) { return sink(chunk.raw); });
}

Result<void> feed_parser(rdb::Parser& parser, std::span<const std::byte> bytes,
                         const std::string& what) {
  const auto taken = parser.feed(bytes);
  if (!taken) return std::unexpected(from_rdb(taken.error(), what));
  if (*taken == bytes.size()) return {};
  return std::unexpected(Error{.stage = Stage::storage,
                               .code = "corrupt",
                               .message = what + " goes on after the end of its RDB"});
}

Result<void> read_back(const storage::Repository& repository, const OpenBackup& backup,
                       rdb::Parser& parser, const JobContext& job,
                       const std::function<Result<void>()>& on_chunk) {
  const std::string what = "backup " + backup.stored.key.id;
  const auto sink = [&](std::span<const std::byte> bytes) -> Result<void> {
    if (auto fed = feed_parser(parser, bytes, what); !fed) return fed;
    return on_chunk ? on_chunk() : Result<void>();
  };
  if (auto read = read_rdb(repository, backup, sink, job); !read) return read;
  if (auto ended = parser.finish(); !ended) return std::unexpected(from_rdb(ended.error(), what));
  return {};
}

}  // namespace sluice::engine
