#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/backup_id.h"
#include "storage/backup_writer.h"
#include "storage/chunk_codec.h"
#include "storage/file_lock.h"
#include "storage/head.h"
#include "storage/layout.h"
#include "storage/lease.h"
#include "storage/pack_writer.h"

namespace sluice::storage {

/// The committed backup that a new one builds on.
struct Parent {
  BackupKey key;
  format::Digest manifest_digest{};
};

/// What a BackupWriter is made of. One pack is being filled while at most one other is on its way
/// to the disk, so packs are published in order. The mutex guards all but what is set before the
/// writer is handed out; commit() and abandon() have the writer to themselves.
class BackupWriter::State {
 public:
  enum class Phase : std::uint8_t { open, committed, abandoning, abandoned };

  State(std::shared_ptr<const Layout> repository_layout, std::unique_ptr<IoQueue> io_queue,
        FileLock writer_lock, std::unique_ptr<Lease> writer_lease, Head running_head,
        const BackupId& backup_id, std::optional<Parent> parent_backup);

  Result<BlobPlace> put(const EncodedBlob& blob);
  Result<std::vector<BlobPlace>> adopt(const Backup& from, std::uint32_t chunk);
  Result<std::uint32_t> append_chunk(const ChunkDraft& chunk);
  Result<std::uint32_t> append_chunk(std::span<const std::byte> raw, ChunkTag tag,
                                     Compression compression);
  Result<void> commit(std::string meta_json);
  Result<void> commit_packs();
  Result<void> abandon();
  /// The same for who holds the repository's lock.
  Result<void> abandon_locked();
  WriteStats stats() const;

  std::shared_ptr<const Layout> layout;
  std::unique_ptr<IoQueue> queue;  // outlives the files that use it
  std::optional<FileLock> lock;
  std::unique_ptr<Lease> lease;
  Head head;  // as it was made; the lease has what it is now
  BackupId id;
  std::optional<Parent> parent;
  Cleared cleared;
  Backup backup;  // as far as it is written
  std::function<void(std::string_view)> at_step;
  Phase phase = Phase::open;

 private:
  template <class T>
  Result<T> keep(Result<T> result);  // remembers the first error
  [[nodiscard]] Result<void> check() const;
  Result<BlobPlace> put_into_pack(const EncodedBlob& blob);
  Result<void> make_room(std::size_t stored_bytes);
  Result<std::uint32_t> add_chunk(const ChunkDraft& chunk);
  Result<std::uint32_t> pack_index(const PackId& pack);
  Result<void> begin_finish_current();
  Result<void> finish_previous();
  Result<void> write_all_manifests();
  Result<void> settle(HeadState state);
  void step(std::string_view name) const;
  void abandon_files() noexcept;
  [[nodiscard]] bool is_gone(const Error& error) const;
  Result<void> remove_own_packs() const;

  mutable std::mutex mutex_;
  WriteStats stats_;
  std::unique_ptr<BlobEncoder> encoder_;  // of the short append_chunk(), made when first used
  std::unique_ptr<PackWriter> current_;
  std::unique_ptr<PackWriter> finishing_;
  std::map<PackId, std::uint32_t> pack_indices_;  // of those in backup.packs
  std::map<PackId, PackRef> adoptable_packs_;     // of the parent, as adopt() came across them
  std::optional<Error> error_;
};

}  // namespace sluice::storage
