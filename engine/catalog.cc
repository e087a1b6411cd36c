#include "sluice/catalog.h"

#include <algorithm>

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
  if (info.pin) summary.pinned = info.pin->note;
  summary.id = info.key.id;
  summary.instance = info.key.instance;
  summary.repo = repository.path();
  summary.started_at_ms = static_cast<std::int64_t>(info.started_at_ms);
  return summary;
}

Result<std::optional<std::string>> pin_note(const storage::Repository& repository,
                                            const storage::BackupKey& key) {
  const auto infos = repository.list(key.instance);
  if (!infos) return std::unexpected(engine::from_storage(infos.error()));
  for (const storage::BackupInfo& info : *infos) {
    if (info.key.id == key.id && info.pin) return info.pin->note;
  }
  return std::nullopt;
}

/// Whether the backup with this id wrote the pack.
bool is_own(const storage::PackRef& pack, const std::string& id) {
  return storage::parse_backup_id(id) == pack.id.backup;
}

void count_packs(const storage::Backup& stored, BackupDetail& detail) {
  for (const storage::PackRef& pack : stored.packs) {
    detail.packs.push_back(storage::to_string(pack.id));
    detail.pack_file_bytes += pack.file_bytes;
    if (!is_own(pack, stored.key.id)) continue;
    ++detail.own_packs;
    detail.own_pack_file_bytes += pack.file_bytes;
  }
}

void count_chunks(const storage::Backup& stored, BackupDetail& detail) {
  using storage::format::BlobType;
  detail.chunks = stored.chunks.size();
  detail.chain_depths.resize(storage::format::chain_blobs_max);
  for (const storage::ChunkRef& chunk : stored.chunks) {
    if (chunk.type == static_cast<std::uint8_t>(BlobType::records)) ++detail.runs;
    if (chunk.type == static_cast<std::uint8_t>(BlobType::fragment)) ++detail.fragments;
    const std::size_t deltas = chunk.blob_count == 0 ? 0 : chunk.blob_count - 1U;
    if (deltas < detail.chain_depths.size()) ++detail.chain_depths[deltas];
  }
}

/// Other backups that need packs of this one. What cannot be read is left out: list() tells of it.
Result<std::vector<std::string>> users_of(const storage::Repository& repository,
                                          const storage::BackupKey& key) {
  const auto infos = repository.list();
  if (!infos) return std::unexpected(engine::from_storage(infos.error()));
  std::vector<std::string> users;
  for (const storage::BackupInfo& info : *infos) {
    if (!info.parent || info.key.id <= key.id) continue;  // it has no packs but its own
    const auto other = repository.open_backup(info.key);
    if (other &&
        std::ranges::any_of(other->packs, [&](const auto& pack) { return is_own(pack, key.id); })) {
      users.push_back(info.key.id);
    }
  }
  return users;
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

Result<BackupDetail> show(const RepositoryPlace& place, const std::string& backup) {
  auto repository = engine::open_repository(place, false, IoBackend::automatic);
  if (!repository) return std::unexpected(repository.error());
  const auto key = engine::resolve(**repository, backup);
  if (!key) return std::unexpected(key.error());
  auto opened = engine::open_backup(**repository, *key);
  if (!opened) return std::unexpected(opened.error());

  BackupDetail detail;
  count_packs(opened->stored, detail);
  count_chunks(opened->stored, detail);
  detail.summary = engine::summarize(**repository, *key, opened->manifest,
                                     opened->stored.stored_bytes, detail.own_pack_file_bytes);
  detail.summary.verified = last_check(**repository, *key);
  auto pinned = pin_note(**repository, *key);
  if (!pinned) return std::unexpected(pinned.error());
  detail.summary.pinned = *std::move(pinned);
  detail.databases = opened->manifest.databases;
  detail.functions = opened->manifest.functions;
  detail.aux = opened->manifest.aux;
  auto used_by = users_of(**repository, *key);
  if (!used_by) return std::unexpected(used_by.error());
  detail.used_by = *std::move(used_by);
  return detail;
}

}  // namespace sluice
