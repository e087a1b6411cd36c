#include "sluice/catalog.h"

#include "engine/check_record.h"
#include "engine/errors.h"
#include "engine/repository_access.h"

namespace sluice {
namespace {

/// Nothing when there was no check, or what it left cannot be read.
std::optional<LastCheck> last_check(const storage::Repository& repository,
                                    const storage::BackupKey& key) {
  const auto record = engine::load_check_record(repository, key);
  return record ? record->last() : std::nullopt;
}

BackupSummary summarize(const storage::Repository& repository, const storage::BackupInfo& info) {
  BackupSummary summary;
  if (auto manifest = engine::decode_manifest(info.meta_json, info.key.id); manifest) {
    summary =
        engine::summarize(repository, info.key, *manifest, info.stored_bytes, info.pack_file_bytes);
  } else {
    summary.damage = manifest.error().message;
  }
  if (info.damage) summary.damage = engine::from_storage(*info.damage).message;
  summary.verified = last_check(repository, info.key);
  summary.id = info.key.id;
  summary.instance = info.key.instance;
  summary.repo = repository.path();
  summary.started_at_ms = static_cast<std::int64_t>(info.started_at_ms);
  return summary;
}

}  // namespace

Result<std::vector<BackupSummary>> list(const ListOptions& options) {
  auto repository = engine::open_repository(options.repository, false, IoBackend::automatic);
  if (!repository) return std::unexpected(repository.error());
  auto infos = options.instance ? (*repository)->list(*options.instance) : (*repository)->list();
  if (!infos) return std::unexpected(engine::from_storage(infos.error()));
  std::vector<BackupSummary> backups;
  for (const storage::BackupInfo& info : *infos) {
    const auto started_at_ms = static_cast<std::int64_t>(info.started_at_ms);
    if (options.from_ms && started_at_ms < *options.from_ms) continue;
    if (options.to_ms && started_at_ms > *options.to_ms) continue;
    backups.push_back(summarize(**repository, info));
  }
  return backups;
}

Result<BackupDetail> show(const std::string& repository_path, const std::string& backup) {
  auto repository = engine::open_repository(repository_path, false, IoBackend::automatic);
  if (!repository) return std::unexpected(repository.error());
  const auto key = engine::resolve(**repository, backup);
  if (!key) return std::unexpected(key.error());
  auto opened = engine::open_backup(**repository, *key);
  if (!opened) return std::unexpected(opened.error());

  BackupDetail detail;
  for (const storage::PackRef& pack : opened->stored.packs) {
    detail.packs.push_back(storage::to_string(pack.id));
    detail.pack_file_bytes += pack.file_bytes;
  }
  detail.summary = engine::summarize(**repository, *key, opened->manifest,
                                     opened->stored.stored_bytes, detail.pack_file_bytes);
  detail.summary.verified = last_check(**repository, *key);
  detail.chunks = opened->stored.chunks.size();
  detail.databases = opened->manifest.databases;
  detail.functions = opened->manifest.functions;
  detail.aux = opened->manifest.aux;
  return detail;
}

}  // namespace sluice
