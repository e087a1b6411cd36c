#include "storage/backup_writer_state.h"

#include <fmt/format.h>

#include <cassert>
#include <utility>

#include "storage/leftovers.h"
#include "storage/manifest.h"
#include "storage/manifest_files.h"
#include "storage/repository_lock.h"

namespace sluice::storage {
namespace {

// A blob's ordinal has 32 bits, and a backup can name no more.
constexpr std::uint64_t blobs_max = format::backup_chunks_max * format::chain_blobs_max;

std::unexpected<Error> refuse(Errc code, std::string what) {
  return std::unexpected(Error{.code = code, .detail = std::move(what)});
}

/// What a reader of the manifest would refuse.
Result<void> check_draft(const ChunkDraft& chunk, std::size_t ordinal, std::size_t labels_bytes) {
  const auto wrong = [ordinal](Errc code, std::string_view what) {
    return refuse(code, fmt::format("chunk {}: {}", ordinal, what));
  };
  if (ordinal == format::backup_chunks_max) return wrong(Errc::limit_exceeded, "number of chunks");
  if (chunk.raw_bytes > format::chunk_raw_bytes_max)
    return wrong(Errc::limit_exceeded, "chunk size");
  if (chunk.label.size() > format::label_bytes_max ||
      chunk.label.size() > format::labels_bytes_max - labels_bytes)
    return wrong(Errc::limit_exceeded, "label size");
  if (chunk.blobs.empty() || chunk.blobs.size() > format::chain_blobs_max)
    return wrong(Errc::limit_exceeded, "number of blobs");
  for (std::size_t link = 0; link < chunk.blobs.size(); ++link) {
    const BlobPlace& blob = chunk.blobs[link];
    const auto type = static_cast<std::uint8_t>(chunk.type);
    if (const char* bad = wrong_in_chain(blob.type, blob.flags, type, link))
      return wrong(Errc::corrupt, bad);
  }
  if (chunk.blobs.size() == 1 && chunk.blobs[0].raw_bytes != chunk.raw_bytes)
    return wrong(Errc::corrupt, "not of the size of its blob");
  return {};
}

}  // namespace

BackupWriter::State::State(std::shared_ptr<const Layout> repository_layout,
                           std::unique_ptr<IoQueue> io_queue, FileLock writer_lock,
                           std::unique_ptr<Lease> writer_lease, Head running_head,
                           const BackupId& backup_id, std::optional<Parent> parent_backup)
    : layout(std::move(repository_layout)),
      queue(std::move(io_queue)),
      lock(std::move(writer_lock)),
      lease(std::move(writer_lease)),
      head(std::move(running_head)),
      id(backup_id),
      parent(std::move(parent_backup)) {
  backup.key = head.key;
  backup.parent = head.parent;
}

template <class T>
Result<T> BackupWriter::State::keep(Result<T> result) {
  if (result || error_) return result;
  error_ = result.error();
  // What fails may fail because another took the backup over and removed it: then that is why.
  if (auto ours = lease->confirm(); !ours) error_ = std::move(ours.error());
  return std::unexpected(*error_);
}

Result<void> BackupWriter::State::check() const {
  if (phase != Phase::open) {
    return std::unexpected(
        Error{.code = Errc::finished,
              .detail = fmt::format("backup {}/{}", head.key.instance, head.key.id)});
  }
  if (error_) return std::unexpected(*error_);
  return lease->check();
}

void BackupWriter::State::step(std::string_view name) const {
  if (at_step) at_step(name);
}

Result<BlobPlace> BackupWriter::State::put(const EncodedBlob& blob) {
  const std::lock_guard guard(mutex_);
  if (auto ok = check(); !ok) return std::unexpected(std::move(ok.error()));
  return keep(put_into_pack(blob));
}

Result<BlobPlace> BackupWriter::State::put_into_pack(const EncodedBlob& blob) {
  if (stats_.blobs == blobs_max)
    return refuse(Errc::limit_exceeded, fmt::format("{} blobs", blobs_max));
  if (auto ok = make_room(blob.stored.size()); !ok) return std::unexpected(std::move(ok.error()));
  format::BlobHeader header = blob.header;
  header.ordinal = static_cast<std::uint32_t>(stats_.blobs);
  auto place = current_->append(header, blob.stored);
  if (!place) return place;
  ++stats_.blobs;
  stats_.new_bytes += place->stored_bytes;
  return place;
}

Result<std::vector<BlobPlace>> BackupWriter::State::adopt(const Backup& from, std::uint32_t chunk) {
  assert(chunk < from.chunks.size());
  if (!parent || from.key != parent->key || from.manifest_digest != parent->manifest_digest) {
    return refuse(Errc::bad_name,
                  fmt::format("backup {}/{} does not build on {}/{}", head.key.instance,
                              head.key.id, from.key.instance, from.key.id));
  }
  std::vector<BlobPlace> places;
  for (const BlobRef& blob : from.blobs_of(chunk)) {
    places.push_back({.pack = from.packs[blob.pack].id,
                      .offset = blob.offset,
                      .stored_bytes = blob.stored_bytes,
                      .raw_bytes = blob.raw_bytes,
                      .type = blob.type,
                      .codec = blob.codec,
                      .flags = blob.flags,
                      .checksum = blob.checksum});
  }
  const std::lock_guard guard(mutex_);
  if (auto ok = check(); !ok) return std::unexpected(std::move(ok.error()));
  for (const BlobRef& blob : from.blobs_of(chunk))
    adoptable_packs_.try_emplace(from.packs[blob.pack].id, from.packs[blob.pack]);
  return places;
}

Result<std::uint32_t> BackupWriter::State::append_chunk(const ChunkDraft& chunk) {
  const std::lock_guard guard(mutex_);
  if (auto ok = check(); !ok) return std::unexpected(std::move(ok.error()));
  return keep(add_chunk(chunk));
}

Result<std::uint32_t> BackupWriter::State::append_chunk(std::span<const std::byte> raw,
                                                        ChunkTag tag, Compression compression) {
  {
    const std::lock_guard guard(mutex_);
    if (auto ok = check(); !ok) return std::unexpected(std::move(ok.error()));
  }
  if (!encoder_) encoder_ = std::make_unique<BlobEncoder>(layout->keys());
  const auto blob = encoder_->encode(format::BlobType::stream, raw, compression);
  if (!blob) {
    const std::lock_guard guard(mutex_);
    return keep(Result<std::uint32_t>(std::unexpect, blob.error()));
  }
  const auto place = put(*blob);
  if (!place) return std::unexpected(place.error());
  return append_chunk({.type = format::BlobType::stream,
                       .blobs = {*place},
                       .raw_bytes = place->raw_bytes,
                       .identity = first_half(blob->header.identity),
                       .tag = tag,
                       .label = {}});
}

Result<std::uint32_t> BackupWriter::State::add_chunk(const ChunkDraft& chunk) {
  const std::size_t ordinal = backup.chunks.size();
  if (auto ok = check_draft(chunk, ordinal, backup.labels.bytes().size()); !ok)
    return std::unexpected(std::move(ok.error()));
  const std::size_t first_blob = backup.blobs.size();
  for (const BlobPlace& blob : chunk.blobs) {
    const auto pack = pack_index(blob.pack);
    if (!pack) return std::unexpected(pack.error());
    backup.blobs.push_back({.pack = *pack,
                            .stored_bytes = blob.stored_bytes,
                            .raw_bytes = blob.raw_bytes,
                            .type = blob.type,
                            .codec = blob.codec,
                            .flags = blob.flags,
                            .reserved = 0,
                            .offset = blob.offset,
                            .checksum = blob.checksum});
    backup.stored_bytes += blob.stored_bytes;
    if (blob.pack.backup == id) backup.new_bytes += blob.stored_bytes;
  }
  backup.chunks.push_back({.first_blob = static_cast<std::uint32_t>(first_blob),
                           .blob_count = static_cast<std::uint16_t>(chunk.blobs.size()),
                           .type = static_cast<std::uint8_t>(chunk.type),
                           .reserved = 0,
                           .raw_bytes = chunk.raw_bytes,
                           .label_bytes = static_cast<std::uint32_t>(chunk.label.size()),
                           .raw_offset = backup.raw_bytes,
                           .identity = chunk.identity,
                           .tag = chunk.tag});
  backup.labels.append(chunk.label);
  backup.raw_bytes += chunk.raw_bytes;
  return static_cast<std::uint32_t>(ordinal);
}

/// Position of a pack in the manifest. One of the parent's comes into it with its first blob.
Result<std::uint32_t> BackupWriter::State::pack_index(const PackId& pack) {
  if (const auto known = pack_indices_.find(pack); known != pack_indices_.end())
    return known->second;
  const auto adopted = adoptable_packs_.find(pack);
  if (adopted == adoptable_packs_.end())
    return refuse(Errc::corrupt,
                  fmt::format("a blob in pack {} was neither put nor adopted", to_string(pack)));
  const auto index = static_cast<std::uint32_t>(backup.packs.size());
  backup.packs.push_back(adopted->second);
  pack_indices_.emplace(pack, index);
  return index;
}

/// Opens the next pack when there is none, or when the current one is full.
Result<void> BackupWriter::State::make_room(std::size_t stored_bytes) {
  if (current_ && current_->has_room_for(stored_bytes)) return {};
  if (current_) {
    if (auto ok = begin_finish_current(); !ok) return ok;
  }
  const PackId pack{.backup = id, .sequence = stats_.packs};
  auto shard = layout->shard(shard_of(pack));
  if (!shard) return std::unexpected(std::move(shard.error()));
  auto created = PackWriter::create(*queue, *std::move(shard), pack, layout->stamp());
  if (!created) return std::unexpected(std::move(created.error()));
  current_ = *std::move(created);
  ++stats_.packs;
  pack_indices_.emplace(pack, static_cast<std::uint32_t>(backup.packs.size()));
  backup.packs.push_back({.id = pack, .file_bytes = 0, .digest = {}});  // until it is finished
  return {};
}

/// Sends the current pack on its way, once the one before it has arrived.
Result<void> BackupWriter::State::begin_finish_current() {
  if (auto ok = finish_previous(); !ok) return ok;
  if (!current_) return {};
  if (auto ok = current_->begin_finish(); !ok) return ok;
  backup.packs[pack_indices_.at(current_->id())] = current_->ref();
  stats_.file_bytes += current_->ref().file_bytes;
  finishing_ = std::move(current_);
  return {};
}

Result<void> BackupWriter::State::finish_previous() {
  if (!finishing_) return {};
  if (auto ok = finishing_->finish(); !ok) return ok;
  if (finishing_->rewritten()) ++stats_.rewritten_files;
  finishing_.reset();
  step("pack_published");
  return {};
}

Result<void> BackupWriter::State::write_all_manifests() {
  const auto rewritten = write_manifest_files(*queue, *layout, backup, 0);
  if (!rewritten) return std::unexpected(rewritten.error());
  stats_.rewritten_files += *rewritten;
  return {};
}

/// The commit: everything it speaks of is on stable storage, so HEAD may say so.
Result<void> BackupWriter::State::settle(HeadState state) {
  const auto directory = layout->backup(head.key);
  if (!directory && directory.error().code != Errc::not_found)  // else it was fenced, and is gone
    return std::unexpected(directory.error());
  if (auto ok = lease->settle(state, backup.manifest_digest); !ok) return ok;
  // Only running backups are told alive by a lock, so a lock file that stays harms nobody.
  (void)remove_file(*directory, std::string(name::writer_lock));
  lock.reset();
  phase = Phase::committed;
  return {};
}

Result<void> BackupWriter::State::commit_packs() {
  if (auto ok = check(); !ok) return ok;
  if (auto ok = keep(begin_finish_current()); !ok) return ok;
  if (auto ok = keep(finish_previous()); !ok) return ok;
  step("before_commit");
  return keep(settle(HeadState::packs));
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
  if (auto ok = keep(settle(HeadState::committed)); !ok) return ok;
  step("head_committed");
  return {};
}

WriteStats BackupWriter::State::stats() const {
  const std::lock_guard guard(mutex_);
  WriteStats stats = stats_;
  stats.raw_bytes = backup.raw_bytes;
  stats.stored_bytes = backup.stored_bytes;
  stats.chunks = backup.chunks.size();
  return stats;
}

void BackupWriter::State::abandon_files() noexcept {
  for (auto* pack : {&current_, &finishing_}) {
    if (*pack) (*pack)->abandon();
    pack->reset();
  }
}

/// Whether the error says that another has taken the backup over and removed it.
bool BackupWriter::State::is_gone(const Error& error) const {
  return error.code == Errc::not_found && !layout->backup(head.key);
}

/// Of a backup that another has taken over and removed: what was published since.
Result<void> BackupWriter::State::remove_own_packs() const {
  for (std::uint32_t sequence = 0; sequence < stats_.packs; ++sequence) {
    const PackId pack{.backup = id, .sequence = sequence};
    const auto shard = layout->shard(shard_of(pack));
    if (!shard) return std::unexpected(shard.error());
    if (auto ok = remove_file(*shard, to_string(pack)); !ok) return ok;
    if (auto ok = sync_directory(*shard); !ok) return ok;
  }
  return {};
}

Result<void> BackupWriter::State::abandon() {
  if (phase == Phase::committed || phase == Phase::abandoned) return {};
  phase = Phase::abandoning;
  lease->release();
  abandon_files();
  // A commit that failed at its very end may have left a HEAD that says committed. So this comes
  // before anything that may take long or fail; the writer's own lock is enough for it.
  if (auto marked = mark_removed(*layout, head.key); !marked && !is_gone(marked.error()))
    return marked;
  const auto repository_lock = lock_repository(*layout);
  if (!repository_lock) return std::unexpected(repository_lock.error());
  return abandon_locked();
}

Result<void> BackupWriter::State::abandon_locked() {
  phase = Phase::abandoning;
  lease->release();
  abandon_files();
  auto done = mark_removed(*layout, head.key);
  if (done) {
    const auto removed = remove_backup_files(*layout, {head.key}, {.keep_trash = false}, at_step);
    if (!removed) done = std::unexpected(removed.error());
  }
  if (!done && is_gone(done.error())) done = remove_own_packs();
  if (!done) return done;
  phase = Phase::abandoned;
  return {};
}

}  // namespace sluice::storage
