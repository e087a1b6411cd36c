#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "storage/backup.h"
#include "storage/chunk_buffer.h"
#include "storage/chunk_codec.h"
#include "storage/error.h"

namespace sluice::storage {

/// Makes the raw bytes of chunks of their blobs: decodes the base and applies the deltas to it.
///
/// Checks:  as ChunkReader.
/// Memory:  4 MiB; 16 MiB once there was a chunk with deltas.
/// Threads: one at a time.
class ChainDecoder {
 public:
  /// Gives header and stored bytes of the `link`-th blob of the chunk; they must stay valid until
  /// the next call only.
  using Fetch = std::function<Result<std::span<const std::byte>>(std::size_t link)>;

  /// Gives what opens the blobs of a pack (its position in the manifest); null where nothing is
  /// encrypted.
  using FindKey = std::function<Result<const PackKey*>(std::uint32_t pack)>;
  explicit ChainDecoder(FindKey find_key = {}) : find_key_(std::move(find_key)) {}

  struct Made {
    std::span<const std::byte> raw;  ///< Here or in what was fetched last; until the next call.
    format::Identity identity{};     ///< As the last blob says.
  };

  /// Of the first `blobs_max` blobs of the chunk, or as many as there are; one at least.
  [[nodiscard]] Result<Made> make(const Backup& backup, std::uint32_t ordinal, unsigned blobs_max,
                                  const Fetch& fetch);

 private:
  Result<void> apply(std::span<const std::byte> text, Made& made, std::string_view where);
  std::span<std::byte> spare(const Made& made);  // a buffer that `made` does not lie in

  FindKey find_key_;
  BlobDecoder decoder_;
  ChunkBuffer text_;  // of a delta
  ChunkBuffer first_;
  ChunkBuffer second_;
};

}  // namespace sluice::storage
