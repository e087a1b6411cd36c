#include "storage/backup_writer.h"

#include <utility>

#include "storage/backup_writer_state.h"

namespace sluice::storage {

BackupWriter::BackupWriter(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

BackupWriter::~BackupWriter() { (void)abandon(); }

const BackupKey& BackupWriter::key() const noexcept { return state_->head.key; }
const Cleared& BackupWriter::cleared() const noexcept { return state_->cleared; }
IoKind BackupWriter::io_kind() const noexcept { return state_->queue->kind(); }
const std::string& BackupWriter::io_fallback_reason() const noexcept {
  return state_->queue->fallback_reason();
}
const RepositoryKeys& BackupWriter::keys() const noexcept { return state_->layout->keys(); }
WriteStats BackupWriter::stats() const { return state_->stats(); }

Result<BlobPlace> BackupWriter::put(const EncodedBlob& blob) { return state_->put(blob); }

Result<std::vector<BlobPlace>> BackupWriter::adopt(const Backup& parent, std::uint32_t chunk) {
  return state_->adopt(parent, chunk);
}

Result<std::uint32_t> BackupWriter::append_chunk(const ChunkDraft& chunk) {
  return state_->append_chunk(chunk);
}

Result<std::uint32_t> BackupWriter::append_chunk(std::span<const std::byte> raw, ChunkTag tag,
                                                 Compression compression) {
  return state_->append_chunk(raw, tag, compression);
}

Result<CommittedBackup> BackupWriter::commit(std::string meta_json) {
  if (auto ok = state_->commit(std::move(meta_json)); !ok)
    return std::unexpected(std::move(ok.error()));
  return CommittedBackup{.key = state_->head.key,
                         .stats = state_->stats(),
                         .manifest_digest = state_->backup.manifest_digest};
}

Result<std::vector<PackRef>> BackupWriter::commit_packs() {
  if (auto ok = state_->commit_packs(); !ok) return std::unexpected(std::move(ok.error()));
  return state_->backup.packs;
}

Result<void> BackupWriter::abandon() { return state_->abandon(); }

}  // namespace sluice::storage
