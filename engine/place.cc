#include "engine/place.h"

#include <filesystem>
#include <system_error>

#include "engine/backup_stream.h"
#include "engine/errors.h"
#include "engine/repository_access.h"
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

/// A mistyped file name must not read as a riddle about repositories.
Error not_a_file(Error error, const std::string& name) {
  error.message = "no file \"" + name + "\" here, so a backup was looked for: " + error.message;
  return error;
}

Result<PlaceFacts> read_backup(const Place& place, rdb::Parser& parser, ProgressMeter& meter,
                               const JobContext& job,
                               const std::function<Result<void>()>& after_block) {
  const auto repository = open_repository(place.repository, false, place.io);
  if (!repository) return std::unexpected(not_a_file(repository.error(), place.name));
  const auto key = resolve(**repository, place.name);
  if (!key) return std::unexpected(not_a_file(key.error(), place.name));
  auto backup = open_backup(**repository, *key);
  if (!backup) return std::unexpected(backup.error());
  meter.set_phase("reading " + key->id);
  meter.set_total(backup->manifest.raw_bytes);
  const auto on_chunk = [&]() -> Result<void> {
    meter.update(parser.offset(), parser.records());
    return after_block ? after_block() : Result<void>();
  };
  if (auto read = read_back(**repository, *backup, parser, job, on_chunk); !read) {
    return std::unexpected(read.error());
  }
  BackupSource source = backup->manifest.source;
  return PlaceFacts{.source = std::move(source), .manifest = std::move(backup->manifest)};
}

}  // namespace

Result<PlaceFacts> read_place(const Place& place, rdb::Parser& parser, ProgressMeter& meter,
                              const JobContext& job,
                              const std::function<Result<void>()>& after_block) {
  if (is_server_uri(place.name) || is_file(place.name)) {
    return read_stream(place, parser, meter, job, after_block);
  }
  return read_backup(place, parser, meter, job, after_block);
}

}  // namespace sluice::engine
