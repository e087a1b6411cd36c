#include "engine/repository_access.h"

#include <fmt/format.h>

#include "engine/errors.h"
#include "engine/repository_key.h"

namespace sluice::engine {
namespace {

Error no_backup(std::string message) {
  return {.stage = Stage::storage, .code = "not_found", .message = std::move(message)};
}

/// The newest backup of `instance` (empty: of any) that started at or before `time_ms`.
Result<storage::BackupKey> newest_before(const storage::Repository& repository,
                                         const std::string& instance, std::int64_t time_ms) {
  auto listed = instance.empty() ? repository.list() : repository.list(instance);
  if (!listed) return std::unexpected(from_storage(listed.error()));
  const storage::BackupInfo* best = nullptr;
  for (const storage::BackupInfo& info : *listed) {
    if (std::cmp_greater(info.started_at_ms, time_ms)) continue;
    if (best == nullptr || info.key.id > best->key.id) best = &info;
  }
  if (best != nullptr) return best->key;
  const std::string of = instance.empty() ? "" : " of " + instance;
  if (listed->empty()) {
    return std::unexpected(
        no_backup(fmt::format("repository {} has no backup{}; take one with: sluice backup SOURCE",
                              repository.path(), of)));
  }
  return std::unexpected(no_backup(fmt::format("no backup{} at or before {}; the oldest is {}", of,
                                               format_time(time_ms), listed->front().key.id)));
}

}  // namespace

storage::IoBackend storage_backend(IoBackend io) noexcept {
  switch (io) {
    case IoBackend::automatic: return storage::IoBackend::automatic;
    case IoBackend::io_uring: return storage::IoBackend::io_uring;
    case IoBackend::threads: return storage::IoBackend::threads;
  }
  return storage::IoBackend::automatic;
}

Result<std::unique_ptr<storage::Repository>> open_repository(const RepositoryPlace& place,
                                                             bool create, IoBackend io,
                                                             WithoutKey without_key,
                                                             bool keep_trash) {
  storage::OpenOptions options;
  options.keep_trash = keep_trash;
  auto key = key_source(place.key);
  if (!key) return std::unexpected(key.error());
  options.key = *std::move(key);
  options.create_if_missing = create && !options.key;
  options.keyless = without_key == WithoutKey::allowed;
  options.io.backend = storage_backend(io);
  auto repository = storage::Repository::open(place.path, options);
  if (repository) return std::move(*repository);
  Error error = from_storage(repository.error());
  if (create && error.code == "not_a_repository")
    error.message += "; make an encrypted one with: sluice init --encrypt " + place.path;
  return std::unexpected(std::move(error));
}

Result<storage::BackupKey> resolve(const storage::Repository& repository,
                                   const std::string& backup) {
  constexpr std::int64_t ever = 253'402'300'800'000;  // the year 10000
  const std::size_t at = backup.rfind('@');
  const std::string instance = at == std::string::npos ? "" : backup.substr(0, at);
  const std::string what = at == std::string::npos ? backup : backup.substr(at + 1);
  if (what == "LATEST") return newest_before(repository, instance, ever);
  if (at != std::string::npos) {
    const auto time = parse_time(what);
    if (!time) return std::unexpected(time.error());
    return newest_before(repository, instance, *time);
  }
  auto found = repository.find(backup);
  if (!found) return std::unexpected(from_storage(found.error()));
  return *found;
}

Result<OpenBackup> open_backup(const storage::Repository& repository,
                               const storage::BackupKey& key) {
  auto stored = repository.open_backup(key);
  if (!stored) return std::unexpected(from_storage(stored.error()));
  // Without the key there are only packs to be checked.
  if (repository.is_locked()) return OpenBackup{.stored = *std::move(stored), .manifest = {}};
  auto manifest = decode_manifest(stored->meta_json, key.id);
  if (!manifest) return std::unexpected(manifest.error());
  return OpenBackup{.stored = std::move(*stored), .manifest = std::move(*manifest)};
}

BackupSummary summarize(const storage::Repository& repository, const storage::BackupKey& key,
                        const Manifest& manifest, std::uint64_t stored_bytes,
                        std::uint64_t new_bytes) {
  return {.id = key.id,
          .instance = key.instance,
          .repo = repository.path(),
          .layout = manifest.layout,
          .order = manifest.order,
          .compression = manifest.compression,
          .parent = manifest.parent.empty() ? std::nullopt : std::optional(manifest.parent),
          .source = manifest.source,
          .shards = manifest.shards,
          .keys = manifest.keys,
          .types = manifest.types,
          .raw_bytes = manifest.raw_bytes,
          .stored_bytes = stored_bytes,
          .new_bytes = new_bytes,
          .digest = manifest.digest,
          .undecodable = manifest.undecodable,
          .started_at_ms = manifest.started_at_ms,
          .finished_at_ms = manifest.finished_at_ms,
          .seconds = static_cast<double>(manifest.finished_at_ms - manifest.started_at_ms) / 1000,
          .damage = std::nullopt,
          .verified = std::nullopt,
          .pinned = std::nullopt};
}

}  // namespace sluice::engine
