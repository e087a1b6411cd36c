#include "storage/backup_writer.h"

#include <fmt/format.h>

#include <utility>

#include "storage/backup_writer_state.h"
#include "storage/begin_backup.h"
#include "storage/leftovers.h"
#include "storage/manifest.h"

namespace sluice::storage {
namespace {

/// A manifest file, written but for its finish.
Result<std::unique_ptr<BlockFile>> begin_manifest(BackupWriter::State& state,
                                                  std::string_view file_name) {
  auto directory = state.layout->backup(state.head.key);
  if (!directory) return std::unexpected(std::move(directory.error()));
  auto file = BlockFile::create(*state.queue, *std::move(directory), std::string(file_name));
  if (!file) return file;
  const auto sink = [&file](std::span<const std::byte> part) { return (*file)->append(part); };
  const auto digest = write_manifest(state.backup, state.layout->id_prefix(), sink);
  if (!digest) {
    (*file)->abandon();
    return std::unexpected(digest.error());
  }
  state.backup.manifest_digest = *digest;
  return file;
}

}  // namespace

BackupWriter::State::State(std::shared_ptr<const Layout> repository_layout,
                           std::unique_ptr<IoQueue> io_queue, FileLock writer_lock,
                           Head running_head, const BackupId& backup_id)
    : layout(std::move(repository_layout)),
      queue(std::move(io_queue)),
      lock(std::move(writer_lock)),
      head(std::move(running_head)),
      id(backup_id) {
  backup.key = head.key;
}

template <class T>
Result<T> BackupWriter::State::keep(Result<T> result) {
  if (!result && !error_) error_ = result.error();
  return result;
}

Result<void> BackupWriter::State::check() const {
  if (phase != Phase::open) {
    return std::unexpected(
        Error{.code = Errc::finished,
              .detail = fmt::format("backup {}/{}", head.key.instance, head.key.id)});
  }
  if (error_) return std::unexpected(*error_);
  return {};
}

void BackupWriter::State::step(std::string_view name) const {
  if (at_step) at_step(name);
}

Result<std::uint32_t> BackupWriter::State::append_chunk(std::span<const std::byte> raw,
                                                        ChunkTag tag) {
  if (auto ok = check(); !ok) return std::unexpected(std::move(ok.error()));
  const std::size_t ordinal = backup.chunks.size();
  if (ordinal == format::backup_chunks_max) {
    return keep(Result<std::uint32_t>(
        std::unexpect, Error{.code = Errc::limit_exceeded,
                             .detail = fmt::format("{} chunks", format::backup_chunks_max)}));
  }
  const auto chunk = encoder_.encode(raw, static_cast<std::uint32_t>(ordinal));
  if (!chunk) return keep(Result<std::uint32_t>(std::unexpect, chunk.error()));
  return keep(put(*chunk, tag));
}

Result<std::uint32_t> BackupWriter::State::put(const EncodedChunk& chunk, ChunkTag tag) {
  if (auto ok = make_room(chunk.stored.size()); !ok) return std::unexpected(std::move(ok.error()));
  const auto offset = current_->append(chunk);
  if (!offset) return std::unexpected(offset.error());
  const format::BlobHeader& header = chunk.header;
  backup.chunks.push_back({.pack = static_cast<std::uint32_t>(backup.packs.size()),
                           .stored_bytes = header.stored_bytes,
                           .raw_bytes = header.raw_bytes,
                           .reserved = 0,
                           .offset = *offset,
                           .checksum = header.checksum,
                           .raw_offset = backup.raw_bytes,
                           .tag = tag});
  backup.raw_bytes += header.raw_bytes;
  backup.stored_bytes += header.stored_bytes;
  stats.raw_bytes = backup.raw_bytes;
  stats.stored_bytes = backup.stored_bytes;
  ++stats.chunks;
  return header.ordinal;
}

/// Opens the next pack when there is none, or when the current one is full.
Result<void> BackupWriter::State::make_room(std::size_t stored_bytes) {
  if (current_ && current_->has_room_for(stored_bytes)) return {};
  if (current_) {
    if (auto ok = begin_finish_current(); !ok) return ok;
  }
  const PackId pack{.backup = id, .sequence = stats.packs};
  auto shard = layout->shard(shard_of(pack));
  if (!shard) return std::unexpected(std::move(shard.error()));
  auto created = PackWriter::create(*queue, *std::move(shard), pack, layout->id_prefix());
  if (!created) return std::unexpected(std::move(created.error()));
  current_ = *std::move(created);
  ++stats.packs;
  return {};
}

/// Sends the current pack on its way, once the one before it has arrived.
Result<void> BackupWriter::State::begin_finish_current() {
  if (auto ok = finish_previous(); !ok) return ok;
  if (!current_) return {};
  if (auto ok = current_->begin_finish(); !ok) return ok;
  backup.packs.push_back(current_->ref());
  stats.file_bytes += current_->ref().file_bytes;
  finishing_ = std::move(current_);
  return {};
}

Result<void> BackupWriter::State::finish_previous() {
  if (!finishing_) return {};
  if (auto ok = finishing_->finish(); !ok) return ok;
  finishing_.reset();
  step("pack_published");
  return {};
}

Result<void> BackupWriter::State::write_all_manifests() {
  auto manifest = begin_manifest(*this, name::manifest);
  if (!manifest) return std::unexpected(std::move(manifest.error()));
  auto copy = begin_manifest(*this, name::manifest_copy);
  if (!copy) {
    (*manifest)->abandon();
    return std::unexpected(std::move(copy.error()));
  }
  Result<void> result = (*manifest)->begin_finish();  // both at once, then wait for both
  if (result) result = (*copy)->begin_finish();
  if (result) result = (*manifest)->finish();
  if (result) result = (*copy)->finish();
  (*manifest)->abandon();  // nothing, once published
  (*copy)->abandon();
  return result;
}

/// The commit: everything it speaks of is on stable storage, so HEAD may say so.
Result<void> BackupWriter::State::publish_head() {
  const auto now = layout->head(head.key);
  if (!now) return std::unexpected(now.error());
  if (!*now || (*now)->state != HeadState::running || (*now)->generation != head.generation) {
    return std::unexpected(
        Error{.code = Errc::busy,
              .detail = fmt::format("backup {}/{} was taken over while it was being written",
                                    head.key.instance, head.key.id)});
  }
  Head committed = head;
  committed.state = HeadState::committed;
  ++committed.generation;
  committed.manifest_digest = backup.manifest_digest;
  const auto directory = layout->backup(head.key);
  if (!directory) return std::unexpected(directory.error());
  if (auto ok = replace_text(*directory, std::string(name::head), serialize(committed)); !ok)
    return ok;
  head = std::move(committed);
  // Only running backups are told alive by a lock, so a lock file that stays harms nobody.
  (void)remove_file(*directory, std::string(name::writer_lock));
  lock.reset();
  return {};
}

Result<void> BackupWriter::State::commit(std::string meta_json) {
  if (auto ok = check(); !ok) return ok;
  if (meta_json.size() > format::meta_bytes_max) {
    return keep(Result<void>(
        std::unexpect, Error{.code = Errc::limit_exceeded,
                             .detail = fmt::format("metadata of {} bytes", meta_json.size())}));
  }
  backup.meta_json = std::move(meta_json);
  // The order of these is the order of durability: packs, manifests, HEAD.
  if (auto ok = keep(begin_finish_current()); !ok) return ok;
  if (auto ok = keep(finish_previous()); !ok) return ok;
  if (auto ok = keep(write_all_manifests()); !ok) return ok;
  step("manifest_published");
  step("before_commit");
  if (auto ok = keep(publish_head()); !ok) return ok;
  phase = Phase::committed;
  step("head_committed");
  return {};
}

void BackupWriter::State::abandon_files() noexcept {
  for (auto* pack : {&current_, &finishing_}) {
    if (*pack) (*pack)->abandon();
    pack->reset();
  }
}

Result<void> BackupWriter::State::abandon() {
  if (phase == Phase::committed || phase == Phase::abandoned) return {};
  phase = Phase::abandoning;
  abandon_files();
  const auto gone = [this](const Result<void>& done) {  // another writer has cleared it
    return !done && done.error().code == Errc::not_found && !layout->backup(head.key);
  };
  // A commit that failed at its very end may have left a HEAD that says committed. So this comes
  // before anything that may take long or fail; the writer's own lock is enough for it.
  auto done = mark_removed(*layout, head.key);
  if (done) {
    const auto repository_lock =
        FileLock::acquire(layout->root(), std::string(name::lock), repository_lock_patience);
    if (!repository_lock) return std::unexpected(repository_lock.error());
    done = remove_backup_files(*layout, head.key);
  }
  if (!done && !gone(done)) return done;
  phase = Phase::abandoned;
  return {};
}

BackupWriter::BackupWriter(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

BackupWriter::~BackupWriter() { (void)abandon(); }

const BackupKey& BackupWriter::key() const noexcept { return state_->head.key; }
const Cleared& BackupWriter::cleared() const noexcept { return state_->cleared; }
IoKind BackupWriter::io_kind() const noexcept { return state_->queue->kind(); }
const std::string& BackupWriter::io_fallback_reason() const noexcept {
  return state_->queue->fallback_reason();
}
WriteStats BackupWriter::stats() const noexcept { return state_->stats; }

Result<std::uint32_t> BackupWriter::append_chunk(std::span<const std::byte> raw, ChunkTag tag) {
  return state_->append_chunk(raw, tag);
}

Result<CommittedBackup> BackupWriter::commit(std::string meta_json) {
  if (auto ok = state_->commit(std::move(meta_json)); !ok)
    return std::unexpected(std::move(ok.error()));
  return CommittedBackup{.key = state_->head.key,
                         .stats = state_->stats,
                         .manifest_digest = state_->backup.manifest_digest};
}

Result<void> BackupWriter::abandon() { return state_->abandon(); }

}  // namespace sluice::storage
