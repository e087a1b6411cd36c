#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/io_queue.h"

namespace sluice::storage {

/// Writes one backup: chunks into packs as they come, then the manifest, then the commit.
/// Made by Repository::begin_backup(), which it may outlive.
///
/// Memory:     depth x block_bytes of the I/O queue (8 MiB by default), 8 MiB of codec scratch,
///             64 bytes a chunk for the table of chunks.
/// Durability: when commit() succeeded, the packs, the manifest, its copy, the commit mark and the
///             directories that name them are on stable storage. The backup is listed a moment
///             earlier: from when the commit mark has its name, which a power cut may still undo.
/// Errors:     sticky. After the first, every call but abandon() returns it; nothing more is
///             written.
/// Threads:    one at a time; the opening one alone if IoOptions::thread_bound.
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
  /// What dead writers had left and begin_backup() removed.
  [[nodiscard]] const Cleared& cleared() const noexcept;
  [[nodiscard]] IoKind io_kind() const noexcept;
  /// Why io_uring is not used though it was wanted; empty otherwise. For the caller's log.
  [[nodiscard]] const std::string& io_fallback_reason() const noexcept;
  [[nodiscard]] WriteStats stats() const noexcept;

  /// Stores `raw` (0 to format::chunk_raw_bytes_max bytes) as the next chunk and returns its
  /// ordinal, from 0. The bytes are compressed, decoded again and compared before they count.
  /// Blocks only while all I/O blocks are in flight, or when a pack is full before the one before
  /// it is on disk. `raw` is not used after the return.
  [[nodiscard]] Result<std::uint32_t> append_chunk(std::span<const std::byte> raw, ChunkTag tag);

  /// Makes the backup durable, then listed. `meta_json` is kept as it is, at most
  /// format::meta_bytes_max bytes. On an error, abandon() or destroy: if the last step failed, to
  /// sync the directory, the backup is listed until then.
  [[nodiscard]] Result<CommittedBackup> commit(std::string meta_json);

  /// Unlists the backup, should it be listed, and removes all that was written. May be called again
  /// after a failure. Does nothing after commit() succeeded.
  [[nodiscard]] Result<void> abandon();

 private:
  std::unique_ptr<State> state_;
};

}  // namespace sluice::storage
