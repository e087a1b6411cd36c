#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "engine/canonical_map.h"
#include "rdb/handler.h"
#include "sluice/result.h"
#include "storage/backup_writer.h"
#include "storage/chunk_codec.h"
#include "storage/repository.h"

namespace sluice::engine {

/// Keeps what an RDB has beside its records, byte for byte: the magic, aux fields, functions,
/// module aux data. What comes before the first record is the head, the rest the tail: each has a
/// writer of its own.
///
/// Memory: chunk_bytes and 8 MiB of codec scratch while a chunk is stored. Errors: sticky.
class PreambleWriter {
 public:
  static constexpr std::size_t chunk_bytes = 1 << 20;

  PreambleWriter(const storage::Repository& repository, storage::BackupWriter& writer,
                 const storage::Compression& compression, PreamblePart part)
      : repository_(repository), writer_(writer), compression_(compression), part_(part) {}

  void add(std::span<const std::byte> bytes);
  /// Stores what is left. Errors: the archive's.
  [[nodiscard]] Result<void> finish();

  [[nodiscard]] const std::vector<storage::ChunkDraft>& chunks() const noexcept { return chunks_; }

 private:
  void store();

  const storage::Repository& repository_;
  storage::BackupWriter& writer_;
  storage::Compression compression_;
  PreamblePart part_;
  std::vector<std::byte> held_;
  std::vector<storage::ChunkDraft> chunks_;
  std::optional<Error> error_;
};

}  // namespace sluice::engine
