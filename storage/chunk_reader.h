#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/io_queue.h"
#include "storage/repository.h"

namespace sluice::storage {

/// One chunk, decoded and with its deltas applied. `raw` is valid until the reader's next call or
/// its end.
struct ChunkView {
  std::uint32_t ordinal = 0;
  std::span<const std::byte> raw;
  format::BlobType type = format::BlobType::stream;
  ChunkTag tag{};
  std::uint64_t raw_offset = 0;  ///< Of raw[0] in the logical stream.
  format::Identity identity{};   ///< Of `raw`, as the last blob used says; not computed again.
};

/// Gives back the chunks of a backup, read ahead of the caller with several reads in flight.
///
/// Reads:   in windows of at most 64 chunks and 8 MiB of stored bytes (but at least one chunk),
/// each
///          in the order of its blobs on disk; gaps of up to 128 KiB are read over. At most 16
///          packs are kept open.
/// Checks:  each blob's header against the manifest, XXH3-64 of its stored bytes, decoded length;
///          of a delta what it is against, and XXH3-128 of what it makes. A pack that is damaged
///          elsewhere still gives its good chunks; check_backup() tells.
/// Errors:  belong to one chunk and are not sticky: the next call goes on with the following
///          chunk. The detail names pack, offset, chunk and which blob of its chain.
/// Memory:  depth x block_bytes of the I/O queue (8 MiB by default) and 4 MiB of scratch; for
///          backups whose chunks are not one blob after another 8 MiB for the window (or the stored
///          bytes of one chunk) and, for deltas, 12 MiB more of scratch.
/// Threads: one at a time; several readers of one Backup may run at once.
/// Lifetime: `backup` must outlive the reader; the Repository need not.
class ChunkReader {
 public:
  class State;
  static constexpr std::uint32_t all = std::numeric_limits<std::uint32_t>::max();

  /// Reads `count` chunks from `first` on, or as many as there are.
  [[nodiscard]] static Result<std::unique_ptr<ChunkReader>> open(const Repository& repository,
                                                                 const Backup& backup,
                                                                 std::uint32_t first = 0,
                                                                 std::uint32_t count = all);
  /// For this layer.
  [[nodiscard]] static Result<std::unique_ptr<ChunkReader>> open(
      std::shared_ptr<const Layout> layout, const IoOptions& io, const Backup& backup,
      std::uint32_t first, std::uint32_t count);
  /// For read() alone: takes no I/O queue, whose 8 MiB cost more than a chunk or two.
  [[nodiscard]] static Result<std::unique_ptr<ChunkReader>> open_single(
      const Repository& repository, const Backup& backup);
  explicit ChunkReader(std::unique_ptr<State> state) noexcept;
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;
  ~ChunkReader();

  /// The next chunk in order; nullopt after the last. Precondition of this, reset() and io_kind():
  /// not made by open_single().
  [[nodiscard]] Result<std::optional<ChunkView>> next();

  /// Chunk `ordinal`, whatever next() is at; does not move next(). Precondition: it exists.
  [[nodiscard]] Result<ChunkView> read(std::uint32_t ordinal);

  /// What the first `blobs_max` blobs of the chunk make: a state that it, or a chunk of an earlier
  /// backup, once had. Precondition: blobs_max > 0. More than it has is all of it.
  [[nodiscard]] Result<ChunkView> read(std::uint32_t ordinal, unsigned blobs_max);

  /// next() goes on with `count` chunks from `first` on, or as many as there are.
  void reset(std::uint32_t first, std::uint32_t count = all);

  [[nodiscard]] IoKind io_kind() const noexcept;
  /// Why io_uring is not used though it was wanted; empty otherwise. For the caller's log.
  [[nodiscard]] const std::string& io_fallback_reason() const noexcept;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace sluice::storage
