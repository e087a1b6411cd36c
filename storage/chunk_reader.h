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

/// One chunk, decoded. `raw` is valid until the reader's next call or its end.
struct ChunkView {
  std::uint32_t ordinal = 0;
  std::span<const std::byte> raw;
  ChunkTag tag{};
  std::uint64_t raw_offset = 0;  ///< Of raw[0] in the logical stream.
};

/// Gives back the chunks of a backup, read ahead of the caller with several reads in flight.
///
/// Checks:  each blob's header against the manifest, XXH3-64 of its stored bytes, decoded length.
///          A pack that is damaged elsewhere still gives its good chunks; check_backup() tells.
/// Errors:  belong to one chunk and are not sticky: the next call goes on with the following
///          chunk. The detail names pack, offset and chunk.
/// Memory:  depth x block_bytes of the I/O queue (8 MiB by default) and 12 MiB of scratch.
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
  explicit ChunkReader(std::unique_ptr<State> state) noexcept;
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;
  ~ChunkReader();

  /// The next chunk in order; nullopt after the last.
  [[nodiscard]] Result<std::optional<ChunkView>> next();

  /// Chunk `ordinal`, whatever next() is at; does not move next(). Precondition: it exists.
  [[nodiscard]] Result<ChunkView> read(std::uint32_t ordinal);

  [[nodiscard]] IoKind io_kind() const noexcept;
  /// Why io_uring is not used though it was wanted; empty otherwise. For the caller's log.
  [[nodiscard]] const std::string& io_fallback_reason() const noexcept;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace sluice::storage
