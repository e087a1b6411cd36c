#include "engine/backup_stream.h"

#include <memory>

#include "engine/errors.h"
#include "storage/chunk_reader.h"

namespace sluice::engine {

namespace {

Result<std::unique_ptr<storage::ChunkReader>> open_reader(const storage::Repository& repository,
                                                          const OpenBackup& backup) {
  if (backup.manifest.layout != "stream") {
    return std::unexpected(Error{.stage = Stage::storage,
                                 .code = "unsupported_format",
                                 .message = "backup " + backup.stored.key.id + " has layout \"" +
                                            backup.manifest.layout +
                                            "\", which this sluice cannot read: use a newer one"});
  }
  auto reader = storage::ChunkReader::open(repository, backup.stored);
  if (!reader) return std::unexpected(from_storage(reader.error()));
  return std::move(*reader);
}

}  // namespace

Result<void> probe(const storage::Repository& repository, const OpenBackup& backup) {
  auto reader = open_reader(repository, backup);
  if (!reader) return std::unexpected(reader.error());
  const auto& stored = backup.stored;
  for (std::uint32_t i = 0; i < stored.chunks.size(); ++i) {
    const auto pack_of = [&](std::uint32_t chunk) { return stored.blobs_of(chunk).front().pack; };
    if (i > 0 && pack_of(i) == pack_of(i - 1)) continue;
    if (const auto chunk = (*reader)->read(i); !chunk) {
      return std::unexpected(from_storage(chunk.error()));
    }
  }
  return {};
}

Result<void> read_back(const storage::Repository& repository, const OpenBackup& backup,
                       rdb::Parser& parser, const JobContext& job,
                       const std::function<Result<void>()>& on_chunk) {
  const std::string what = "backup " + backup.stored.key.id;
  auto reader = open_reader(repository, backup);
  if (!reader) return std::unexpected(reader.error());
  if (const std::string& reason = (*reader)->io_fallback_reason();
      !reason.empty() && job.observer != nullptr) {
    job.observer->on_notice("io_uring is not used, threads do its work: " + reason);
  }
  while (true) {
    if (job.stop.stop_requested()) return std::unexpected(cancelled());
    const auto chunk = (*reader)->next();
    if (!chunk) return std::unexpected(from_storage(chunk.error()));
    if (!*chunk) break;
    const auto taken = parser.feed((*chunk)->raw);
    if (!taken) return std::unexpected(from_rdb(taken.error(), what));
    if (*taken < (*chunk)->raw.size()) {
      return std::unexpected(Error{.stage = Stage::storage,
                                   .code = "corrupt",
                                   .message = what + " goes on after the end of its RDB"});
    }
    if (on_chunk) {
      if (auto told = on_chunk(); !told) return told;
    }
  }
  if (auto ended = parser.finish(); !ended) return std::unexpected(from_rdb(ended.error(), what));
  return {};
}

}  // namespace sluice::engine
