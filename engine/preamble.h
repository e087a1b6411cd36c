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
/// module aux data. What comes before the first record is the head, the rest the tail.
///
/// Memory: chunk_bytes and 8 MiB of codec scratch while a chunk is stored. Errors: sticky.
class PreambleWriter {
 public:
  static constexpr std::size_t chunk_bytes = 1 << 20;

  PreambleWriter(const storage::Repository& repository, storage::BackupWriter& writer,
                 const storage::Compression& compression)
      : repository_(repository), writer_(writer), compression_(compression) {}

  void add(std::span<const std::byte> bytes);
  /// From now on it is the tail.
  void end_head();
  /// Stores what is left. Errors: the archive's.
  [[nodiscard]] Result<void> finish();

  /// The chunks of both parts, in order.
  [[nodiscard]] const std::vector<storage::ChunkDraft>& head() const noexcept { return head_; }
  [[nodiscard]] const std::vector<storage::ChunkDraft>& tail() const noexcept { return tail_; }

 private:
  void store();

  const storage::Repository& repository_;
  storage::BackupWriter& writer_;
  storage::Compression compression_;
  PreamblePart part_ = PreamblePart::head;
  std::vector<std::byte> held_;
  std::vector<storage::ChunkDraft> head_;
  std::vector<storage::ChunkDraft> tail_;
  std::optional<Error> error_;
};

}  // namespace sluice::engine
