#include "sluice/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "engine/clock.h"
#include "engine/errors.h"
#include "engine/file_input.h"
#include "engine/manifest.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "engine/snapshot_source.h"
#include "engine/stream_ingest.h"
#include "storage/backup_id.h"

namespace sluice {
namespace {

/// The time in the backup's id: what list shows, --from and INSTANCE@TIME go by.
std::int64_t started_at_ms(const storage::BackupKey& key) {
  const auto id = storage::parse_backup_id(key.id);
  return id ? static_cast<std::int64_t>(id->time_ms) : 0;
}

void tell_cleared(const storage::Cleared& cleared, const engine::ProgressMeter& meter) {
  if (cleared.stray_packs > 0) {
    meter.notice(
        fmt::format("{} pack(s) belong to no backup that is here; they were left alone: was "
                    "a folder of instances/ moved away?",
                    cleared.stray_packs));
  }
  if (cleared.backups.empty() && cleared.packs == 0) return;
  meter.notice(fmt::format("cleared what {} interrupted backup(s) had left: {} pack(s), {} bytes",
                           cleared.backups.size(), cleared.packs, cleared.bytes));
}

/// A file may go on after its RDB (an AOF does); what a server announces as its snapshot may not. A
/// damaged version in the header could otherwise hide that the checksum was never looked at.
Result<void> judge_trailing(std::uint64_t bytes, bool from_server,
                            const engine::ProgressMeter& meter) {
  if (bytes == 0) return {};
  if (from_server) {
    return std::unexpected(
        Error{.stage = Stage::rdb,
              .code = "trailing_bytes",
              .message = fmt::format("the snapshot goes on for {} bytes after its end: it was "
                                     "damaged on the way; run this again",
                                     bytes)});
  }
  meter.notice(fmt::format("{} bytes after the end of the RDB are not part of the backup", bytes));
  return {};
}

/// The bytes are kept as they came, so the backup is as good as its source.
void tell_undecodable(const engine::DigestReader& digest, const engine::ProgressMeter& meter) {
  if (digest.undecodable() == 0) return;
  meter.notice(
      fmt::format("{} value(s) cannot be decoded, so this backup has no digest; the first: {}",
                  digest.undecodable(), digest.first_problem()));
}

/// What a file knows of the server that wrote it.
void complete_from_aux(BackupSource& source, const engine::StreamFacts& facts) {
  if (source.version.empty()) {
    for (const std::string_view server : {"redis", "valkey"}) {
      const std::string version = facts.aux(std::string(server) + "-ver");
      if (version.empty()) continue;
      source.server = server;
      source.version = version;
    }
  }
  if (source.replid.empty()) {
    source.replid = facts.aux("repl-id");
    const std::string offset = facts.aux("repl-offset");
    std::from_chars(offset.data(), offset.data() + offset.size(), source.offset);
  }
}

Result<BackupSummary> commit(storage::Repository& repository, storage::BackupWriter& writer,
                             const engine::Manifest& manifest) {
  const std::string text = engine::encode(manifest);
  // What cannot be read back must not be listed.
  if (auto read = engine::decode_manifest(text, writer.key().id); !read) {
    return std::unexpected(read.error());
  }
  auto committed = writer.commit(text);
  if (!committed) return std::unexpected(engine::from_storage(committed.error()));
  return engine::summarize(repository, committed->key, manifest, committed->stats.stored_bytes,
                           committed->stats.file_bytes);
}

}  // namespace

Result<BackupSummary> backup(const BackupOptions& options, const JobContext& job) {
  engine::ProgressMeter meter(job);
  engine::Manifest manifest;

  const bool from_server = is_server_uri(options.source);
  if (!from_server) {  // before a repository is made for nothing
    if (auto there = engine::FileInput::require(options.source); !there) {
      return std::unexpected(there.error());
    }
  }
  std::string instance = options.instance;
  if (instance.empty()) {
    auto made = engine::default_instance(options);
    if (!made) return std::unexpected(made.error());
    instance = std::move(*made);
  }
  auto repository = engine::open_repository(options.repository, true, options.io);
  if (!repository) return std::unexpected(repository.error());
  auto writer = (*repository)->begin_backup(instance);
  if (!writer) return std::unexpected(engine::from_storage(writer.error()));
  manifest.started_at_ms = started_at_ms((*writer)->key());
  tell_cleared((*writer)->cleared(), meter);
  if (const std::string& reason = (*writer)->io_fallback_reason(); !reason.empty()) {
    meter.notice("io_uring is not used, threads do its work: " + reason);
  }

  engine::StreamIngest ingest(**writer, from_server ? "the snapshot" : "the RDB file");
  const engine::SnapshotConsumer consumer{
      .consume = [&](std::span<const std::byte> bytes) -> Result<void> {
        auto fed = ingest.feed(bytes);
        meter.update(ingest.bytes(), ingest.facts().keys());
        return fed;
      },
      .idle = [&] { meter.update(ingest.bytes(), ingest.facts().keys()); }};
  auto origin = engine::read_snapshot(options, consumer, meter, job);
  if (!origin) return std::unexpected(origin.error());
  if (auto ended = ingest.finish(); !ended) return std::unexpected(ended.error());
  if (auto ended = judge_trailing(ingest.trailing_bytes(), from_server, meter); !ended) {
    return std::unexpected(ended.error());
  }
  if (job.stop.stop_requested()) return std::unexpected(engine::cancelled());

  meter.set_phase("publishing");
  meter.update(ingest.bytes(), ingest.facts().keys());
  manifest.source = std::move(*origin);
  engine::take_facts(manifest, ingest.facts());
  engine::take_digest(manifest, ingest.digest());
  tell_undecodable(ingest.digest(), meter);
  complete_from_aux(manifest.source, ingest.facts());
  manifest.source = engine::printable(manifest.source);
  manifest.finished_at_ms =
      std::max(engine::unix_now_ms(), manifest.started_at_ms);  // a clock set back
  return commit(**repository, **writer, manifest);
}

}  // namespace sluice
