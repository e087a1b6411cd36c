#include "engine/backup_stream.h"

#include "engine/errors.h"
#include "storage/chunk_reader.h"

namespace sluice::engine {

Result<void> read_back(const storage::Repository& repository, const OpenBackup& backup,
                       rdb::Parser& parser, const JobContext& job,
                       const std::function<Result<void>()>& on_chunk) {
  const std::string what = "backup " + backup.stored.key.id;
  if (backup.manifest.layout != "stream") {
    return std::unexpected(Error{.stage = Stage::storage,
                                 .code = "unsupported_format",
                                 .message = what + " has layout \"" + backup.manifest.layout +
                                            "\", which this sluice cannot read: use a newer one"});
  }
  auto reader = storage::ChunkReader::open(repository, backup.stored);
  if (!reader) return std::unexpected(from_storage(reader.error()));
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
