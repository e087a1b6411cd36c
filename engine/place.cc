#include "engine/place.h"

#include <filesystem>
#include <system_error>

#include "engine/backup_stream.h"
#include "engine/errors.h"
#include "engine/scratch_repository.h"
#include "engine/snapshot_source.h"

namespace sluice::engine {
namespace {

bool is_file(const std::string& name) {
  std::error_code ignored;
  return name == "-" || name.starts_with("file:") || std::filesystem::exists(name, ignored);
}

Result<PlaceFacts> read_stream(const Place& place, rdb::Parser& parser, ProgressMeter& meter,
                               const JobContext& job,
                               const std::function<Result<void>()>& after_block) {
  BackupOptions options;
  options.source = place.name;
  options.server = place.server;
  const std::string what = is_server_uri(place.name) ? "the snapshot" : "the RDB file";
  const auto tell = [&] { meter.update(parser.offset(), parser.records()); };
  const SnapshotConsumer consumer{.consume = [&](std::span<const std::byte> bytes) -> Result<void> {
                                    const auto taken = parser.feed(bytes);
                                    if (!taken)
                                      return std::unexpected(from_rdb(taken.error(), what));
                                    tell();
                                    return after_block ? after_block() : Result<void>();
                                  },
                                  .idle = tell};
  auto origin = read_snapshot(options, consumer, meter, job);
  if (!origin) return std::unexpected(origin.error());
  if (auto ended = parser.finish(); !ended) return std::unexpected(from_rdb(ended.error(), what));
  return PlaceFacts{.source = std::move(*origin), .manifest = {}};
}

/// A cluster has as many streams as shards: they become one in a scratch repository first.
Result<PlaceFacts> read_cluster_place(const Place& place, rdb::Parser& parser, ProgressMeter& meter,
                                      const JobContext& job,
                                      const std::function<Result<void>()>& after_block) {
  auto scratch = ScratchRepository::make(place.io);
  if (!scratch) return std::unexpected(scratch.error());
  auto taken = (*scratch)->take(place, job);
  if (!taken) return std::unexpected(taken.error());
  if (auto read = read_place(*taken, parser, meter, job, after_block); !read)
    return std::unexpected(read.error());
  return PlaceFacts{.source = std::move(taken->backup.manifest.source), .manifest = {}};
}

/// A mistyped file name must not read as a riddle about repositories.
Error not_a_file(Error error, const std::string& name) {
  error.message = "no file \"" + name + "\" here, so a backup was looked for: " + error.message;
  return error;
}

}  // namespace

bool is_backup(const Place& place) { return !is_server_uri(place.name) && !is_file(place.name); }

Result<PlaceBackup> open_place(const Place& place) {
  auto repository = open_repository(place.repository, false, place.io);
  if (!repository) return std::unexpected(not_a_file(repository.error(), place.name));
  const auto key = resolve(**repository, place.name);
  if (!key) return std::unexpected(not_a_file(key.error(), place.name));
  auto backup = open_backup(**repository, *key);
  if (!backup) return std::unexpected(backup.error());
  return PlaceBackup{.repository = *std::move(repository), .backup = *std::move(backup)};
}

Result<void> read_place(const PlaceBackup& place, rdb::Parser& parser, ProgressMeter& meter,
                        const JobContext& job, const std::function<Result<void>()>& after_block) {
  meter.set_phase("reading " + place.backup.stored.key.id);
  meter.set_total(place.backup.manifest.raw_bytes);
  const auto on_chunk = [&]() -> Result<void> {
    meter.update(parser.offset(), parser.records());
    return after_block ? after_block() : Result<void>();
  };
  return read_back(*place.repository, place.backup, parser, job, on_chunk);
}

Result<PlaceFacts> read_place(const Place& place, rdb::Parser& parser, ProgressMeter& meter,
                              const JobContext& job,
                              const std::function<Result<void>()>& after_block) {
  if (is_server_uri(place.name) && place.server.cluster)
    return read_cluster_place(place, parser, meter, job, after_block);
  if (!is_backup(place)) return read_stream(place, parser, meter, job, after_block);
  auto opened = open_place(place);
  if (!opened) return std::unexpected(opened.error());
  if (auto read = read_place(*opened, parser, meter, job, after_block); !read)
    return std::unexpected(read.error());
  BackupSource source = opened->backup.manifest.source;
  return PlaceFacts{.source = std::move(source), .manifest = std::move(opened->backup.manifest)};
}

}  // namespace sluice::engine
