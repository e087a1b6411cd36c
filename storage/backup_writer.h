#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/backup.h"
#include "storage/chunk_codec.h"
#include "storage/error.h"
#include "storage/io_queue.h"

namespace sluice::storage {

struct BeginOptions {
  /// The backup that this one builds on: the only one whose blobs it may adopt. It is kept from
  /// being removed while this one is being written.
  std::optional<BackupKey> parent;
  /// Of the parent as the caller has read it: Errc::changed when it is another by now.
  std::optional<format::Digest> parent_manifest_digest = {};
};

/// A chunk, once its blobs are in packs.
struct ChunkDraft {
  format::BlobType type = format::BlobType::stream;
  std::vector<BlobPlace> blobs;  ///< The base, then its deltas; at most format::chain_blobs_max.
  std::uint32_t raw_bytes = 0;   ///< Of the chunk, deltas applied.
  IdentityHalf identity{};       ///< Of those bytes.
  ChunkTag tag{};
  std::vector<std::byte> label;  ///< At most format::label_bytes_max bytes.
};

/// Writes one backup: blobs into packs as they come, chunks made of them in their order, then the
/// manifest, then the commit. Made by Repository::begin_backup(), which it may outlive.
///
/// Memory:     depth x block_bytes of the I/O queue (8 MiB by default), 8 MiB of codec scratch once
///             the short form of append_chunk() is used, 72 bytes a chunk, 32 a blob and the
///             labels.
/// Durability: when commit() succeeded, the packs, the manifest, its copy, the commit mark and the
///             directories that name them are on stable storage. The backup is listed a moment
///             earlier: from when the commit mark has its name, which a power cut may still undo.
/// Errors:     sticky. After the first, every call but abandon() returns it; nothing more is
///             written. A sync that fails is survived once a file: what was written is read back,
///             proven and written again to another file.
/// Threads:    put(), adopt(), append_chunk() and stats() from any number at once; encode outside.
///             Chunks have the order in which append_chunk() was entered. The rest one at a time,
///             while no other call runs.
class BackupWriter {
 public:
  class State;
  explicit BackupWriter(std::unique_ptr<State> state) noexcept;
  BackupWriter(const BackupWriter&) = delete;
  BackupWriter& operator=(const BackupWriter&) = delete;
  /// Abandons, unless committed or abandoned. What cannot be removed is left for the next
  /// begin_backup() to clear.
  ~BackupWriter();

  [[nodiscard]] const BackupKey& key() const noexcept;
  /// Of the repository: for the encoders of those who put().
  [[nodiscard]] const RepositoryKeys& keys() const noexcept;
  /// What dead writers had left and begin_backup() removed.
  [[nodiscard]] const Cleared& cleared() const noexcept;
  [[nodiscard]] IoKind io_kind() const noexcept;
  /// Why io_uring is not used though it was wanted; empty otherwise. For the caller's log.
  [[nodiscard]] const std::string& io_fallback_reason() const noexcept;
  [[nodiscard]] WriteStats stats() const;

  /// Writes a blob to a pack of this backup and tells where it lies. It is part of the backup once
  /// a chunk names it. Blocks only while all I/O blocks are in flight, or when a pack is full
  /// before the one before it is on disk. `blob` is not used after the return.
  [[nodiscard]] Result<BlobPlace> put(const EncodedBlob& blob);

  /// Where the blobs of a chunk of the parent lie, for a chunk of this backup that is the same or
  /// begins with them. Errors: bad_name unless `parent` is the one of BeginOptions.
  [[nodiscard]] Result<std::vector<BlobPlace>> adopt(const Backup& parent, std::uint32_t chunk);

  /// The next chunk of the backup; returns its ordinal, from 0. Its blobs were put or adopted.
  /// Errors: limit_exceeded; corrupt when the blobs do not make a chain of that type.
  [[nodiscard]] Result<std::uint32_t> append_chunk(const ChunkDraft& chunk);

  /// encode(), put() and append_chunk() in one, for a piece of a stream: 0 to
  /// format::chunk_raw_bytes_max bytes. From one thread at a time.
  [[nodiscard]] Result<std::uint32_t> append_chunk(std::span<const std::byte> raw, ChunkTag tag,
                                                   Compression compression = {});

  /// Makes the backup durable, then listed. `meta_json` is kept as it is, at most
  /// format::meta_bytes_max bytes. On an error, abandon() or destroy: if the last step failed, to
  /// sync the directory, the backup is listed until then.
  [[nodiscard]] Result<CommittedBackup> commit(std::string meta_json);

  /// Unlists the backup, should it be listed, and removes all that was written. May be called again
  /// after a failure. Does nothing after commit() succeeded.
  [[nodiscard]] Result<void> abandon();

  /// Makes the packs durable, and no backup of them: the next removal keeps of them what other
  /// backups name by then. For repacking. Errors and abandoning as with commit().
  [[nodiscard]] Result<std::vector<PackRef>> commit_packs();

 private:
  std::unique_ptr<State> state_;
};

}  // namespace sluice::storage
