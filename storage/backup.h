#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/error.h"
#include "storage/format.h"

namespace sluice::storage {

/// Three words that the caller hangs on a chunk; storage keeps them and never looks at them.
using ChunkTag = std::array<std::uint64_t, 3>;

/// A chunk as the manifest describes it. Its ordinal is its position in Backup::chunks.
using ChunkRef = format::ManifestChunk;

/// Names one backup in a repository.
struct BackupKey {
  std::string instance;  ///< [A-Za-z0-9][A-Za-z0-9._-]{0,127}
  std::string id;        ///< YYYYMMDDTHHMMSSmmmZ-xxxxxxxx: UTC, then 32 random bits in hex.

  friend bool operator==(const BackupKey&, const BackupKey&) = default;
};

struct PackRef {
  std::string id;  ///< Backup id, '-', sequence in 8 hex digits: the name of its file.
  std::uint64_t file_bytes = 0;
  format::Digest digest{};
};

/// One committed backup, whole: what its manifest says.
/// Memory: 64 bytes a chunk, about 100 bytes a pack, and the metadata text.
struct Backup {
  BackupKey key;
  std::string meta_json;           ///< As it was given to BackupWriter::commit().
  std::uint64_t raw_bytes = 0;     ///< Of all chunks.
  std::uint64_t stored_bytes = 0;  ///< Of all chunks, without headers and footers.
  std::vector<PackRef> packs;
  std::vector<ChunkRef> chunks;
  format::Digest manifest_digest{};
  std::optional<Error> manifest_damage;  ///< Set when `manifest` was bad and its copy was used.
  /// Set when HEAD was bad and `manifest` and its copy, both whole and equal, were taken for it.
  std::optional<Error> head_damage;
};

/// A line of a listing.
struct BackupInfo {
  BackupKey key;
  std::uint64_t started_at_ms = 0;  ///< Unix time; from the id.
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t pack_file_bytes = 0;  ///< What its packs take on disk.
  std::uint32_t packs = 0;
  std::uint64_t chunks = 0;
  std::string meta_json;
  /// What a person must be told of: what it consists of is not known (manifest and copy damaged, or
  /// one of them and HEAD), and then the rest is empty; a pack is missing or not of its size; or
  /// `head_damage`.
  std::optional<Error> damage;
  /// Set when it can be read, but only from the copy of its manifest.
  std::optional<Error> manifest_damage;
  /// Set when it can be read, but only because manifest and copy agree on what HEAD does not say.
  /// One more bad bit may cost the backup, so it is `damage` too.
  std::optional<Error> head_damage;
};

struct WriteStats {
  std::uint64_t raw_bytes = 0;     ///< Given to append_chunk().
  std::uint64_t stored_bytes = 0;  ///< The same chunks as stored, without headers and footers.
  std::uint64_t file_bytes = 0;    ///< Of packs whose footer was written.
  std::uint32_t packs = 0;         ///< Started.
  std::uint64_t chunks = 0;
};

struct CommittedBackup {
  BackupKey key;
  WriteStats stats;
  format::Digest manifest_digest{};
};

/// What a dead writer had left and begin_backup() removed.
struct Cleared {
  std::vector<BackupKey> backups;  ///< Uncommitted backups whose writer is gone.
  std::uint64_t packs = 0;         ///< Their pack files.
  std::uint64_t bytes = 0;         ///< What those pack files held.
  std::uint64_t files = 0;         ///< Other files.
  /// Pack files of backups that have no directory: left, as the directory may only be elsewhere.
  std::uint64_t stray_packs = 0;
};

}  // namespace sluice::storage
