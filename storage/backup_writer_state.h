#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/backup_id.h"
#include "storage/backup_writer.h"
#include "storage/chunk_codec.h"
#include "storage/file_lock.h"
#include "storage/head.h"
#include "storage/layout.h"
#include "storage/pack_writer.h"

namespace sluice::storage {

/// What a BackupWriter is made of. One pack is being filled while at most one other is on its way
/// to the disk, so packs are published in order.
class BackupWriter::State {
 public:
  enum class Phase : std::uint8_t { open, committed, abandoning, abandoned };

  State(std::shared_ptr<const Layout> repository_layout, std::unique_ptr<IoQueue> io_queue,
        FileLock writer_lock, Head running_head, const BackupId& backup_id);

  Result<std::uint32_t> append_chunk(std::span<const std::byte> raw, ChunkTag tag);
  Result<void> commit(std::string meta_json);
  Result<void> abandon();

  std::shared_ptr<const Layout> layout;
  std::unique_ptr<IoQueue> queue;  // outlives the files that use it
  std::optional<FileLock> lock;
  Head head;
  BackupId id;
  Cleared cleared;
  Backup backup;  // as far as it is written
  WriteStats stats;
  std::function<void(std::string_view)> at_step;
  Phase phase = Phase::open;

 private:
  template <class T>
  Result<T> keep(Result<T> result);  // remembers the first error
  [[nodiscard]] Result<void> check() const;
  Result<void> make_room(std::size_t stored_bytes);
  Result<std::uint32_t> put(const EncodedChunk& chunk, ChunkTag tag);
  Result<void> begin_finish_current();
  Result<void> finish_previous();
  Result<void> write_all_manifests();
  Result<void> publish_head();
  void step(std::string_view name) const;
  void abandon_files() noexcept;

  ChunkEncoder encoder_;
  std::unique_ptr<PackWriter> current_;
  std::unique_ptr<PackWriter> finishing_;
  std::optional<Error> error_;
};

}  // namespace sluice::storage
