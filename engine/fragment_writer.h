#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/fragment_cutter.h"
#include "engine/fragment_list.h"
#include "engine/parent_backup.h"
#include "sluice/result.h"
#include "storage/backup_writer.h"
#include "storage/chunk_codec.h"
#include "storage/chunk_reader.h"
#include "storage/repository.h"

namespace sluice::engine {

/// Stores long values while they arrive: cut where their content says, each piece a chunk of its
/// own, and none that the parent or this backup has already.
///
/// Memory:  about 12 MiB; with a parent 25 MiB more once a piece of its is met; some 150 bytes a
///          fragment.
/// Errors:  sticky.
/// Threads: one at a time.
class FragmentWriter {
 public:
  struct Options {
    const storage::Repository* repository = nullptr;
    storage::BackupWriter* writer = nullptr;
    const ParentBackup* parent = nullptr;  ///< May be null.
    storage::Compression compression;
  };

  explicit FragmentWriter(const Options& options);

  /// Whether fragments are to be stored as they are, for speed.
  void set_behind(bool is_behind) noexcept { is_behind_ = is_behind; }

  /// A value begins.
  void begin();
  [[nodiscard]] Result<void> feed(std::span<const std::byte> part);
  /// The value is complete. What it consists of, without its digest terms; valid until begin().
  [[nodiscard]] Result<FragmentList*> end();

  /// The fragments that this backup refers to, in the order in which they were first met.
  [[nodiscard]] const std::vector<storage::ChunkDraft>& chunks() const noexcept { return chunks_; }

 private:
  Result<void> store();
  /// The parent's blobs when it has a fragment with these bytes.
  Result<std::optional<std::vector<storage::BlobPlace>>> find_in_parent(
      const storage::format::Identity& identity);

  Options options_;
  bool is_behind_ = false;
  FragmentCutter cutter_;
  std::optional<storage::BlobEncoder> encoder_;          // made when first needed
  std::unique_ptr<storage::ChunkReader> parent_reader_;  // likewise
  std::vector<std::byte> held_;                          // of the fragment that is not complete
  FragmentList list_;
  std::vector<storage::ChunkDraft> chunks_;
  std::unordered_multimap<std::uint64_t, std::size_t> known_;  // by first word of the identity
  std::optional<Error> error_;
};

}  // namespace sluice::engine
