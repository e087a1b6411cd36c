#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/backup_id.h"
#include "storage/error.h"
#include "storage/format.h"

namespace sluice::storage {

/// Three words that the caller hangs on a chunk; storage keeps them and never looks at them.
using ChunkTag = std::array<std::uint64_t, 3>;

/// A chunk as the manifest describes it. Its ordinal is its position in Backup::chunks.
using ChunkRef = format::ManifestChunk;
/// Where a blob lies. Its pack is a position in Backup::packs.
using BlobRef = format::ManifestBlob;

/// Names one backup in a repository.
struct BackupKey {
  std::string instance;  ///< [A-Za-z0-9][A-Za-z0-9._-]{0,127}
  std::string id;        ///< YYYYMMDDTHHMMSSmmmZ-xxxxxxxx: UTC, then 32 random bits in hex.

  friend bool operator==(const BackupKey&, const BackupKey&) = default;
};

struct PackRef {
  PackId id;  ///< Says which backup wrote it.
  std::uint64_t file_bytes = 0;
  format::Digest digest{};
};

/// Where a blob lies, whatever backup wrote it.
struct BlobPlace {
  PackId pack;
  std::uint64_t offset = 0;  ///< Of the blob header in the pack.
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;  ///< Of a delta: of its text.
  std::uint8_t type = 0;
  std::uint8_t codec = 0;
  std::uint8_t flags = 0;
  std::uint64_t checksum = 0;  ///< XXH3-64 of the stored bytes.

  friend bool operator==(const BlobPlace&, const BlobPlace&) = default;
};

/// The labels of all chunks, one after another.
/// Memory: their bytes, and 8 bytes a label.
class Labels {
 public:
  void append(std::span<const std::byte> label) {
    bytes_.insert(bytes_.end(), label.begin(), label.end());
    ends_.push_back(bytes_.size());
  }
  /// All at once: label i ends before ends[i]. Precondition: ends do not descend, and the last is
  /// bytes.size().
  void assign(std::vector<std::byte> bytes, std::vector<std::uint64_t> ends) noexcept {
    bytes_ = std::move(bytes);
    ends_ = std::move(ends);
  }
  /// Precondition: i < size(). Valid until the next change.
  [[nodiscard]] std::span<const std::byte> operator[](std::size_t i) const noexcept {
    assert(i < ends_.size());
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::span(bytes_).subspan(begin, ends_[i] - begin);
  }
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::uint64_t> ends_;
};

/// One committed backup, whole: what its manifest says.
/// Memory: 72 bytes a chunk, 32 a blob, 48 a pack, the labels and the metadata text.
struct Backup {
  BackupKey key;
  std::optional<BackupId> parent;  ///< What it builds on. It may have been removed since.
  std::string meta_json;           ///< As it was given to BackupWriter::commit().
  std::uint64_t raw_bytes = 0;     ///< Of all chunks.
  std::uint64_t stored_bytes = 0;  ///< Of all blobs, without headers and footers.
  std::uint64_t new_bytes = 0;     ///< The same, of those in packs of its own.
  std::vector<PackRef> packs;      ///< Its own and those of other backups.
  std::vector<BlobRef> blobs;      ///< Chunk by chunk: each one's base, then its deltas.
  std::vector<ChunkRef> chunks;
  Labels labels;  ///< One for each chunk.
  format::Digest manifest_digest{};
  std::optional<Error> manifest_damage;  ///< Set when `manifest` was bad and its copy was used.
  /// Set when HEAD was bad and `manifest` and its copy, both whole and equal, were taken for it.
  std::optional<Error> head_damage;

  /// The label of a chunk. Precondition: it exists.
  [[nodiscard]] std::span<const std::byte> label(std::size_t chunk) const noexcept {
    return labels[chunk];
  }
  /// The blobs of a chunk: the base, then its deltas. Precondition: it exists.
  [[nodiscard]] std::span<const BlobRef> blobs_of(std::size_t chunk) const noexcept {
    assert(chunk < chunks.size());
    return std::span(blobs).subspan(chunks[chunk].first_blob, chunks[chunk].blob_count);
  }
};

/// That a backup must not be removed, and what who said so wrote to it.
struct Pin {
  std::uint64_t since_ms = 0;  ///< Unix time; 0 when its file is damaged, which counts as a pin.
  std::string note;
};

/// A line of a listing.
struct BackupInfo {
  BackupKey key;
  std::optional<BackupId> parent;
  std::uint64_t started_at_ms = 0;  ///< Unix time; from the id.
  std::uint64_t raw_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t new_bytes = 0;
  std::uint64_t pack_file_bytes = 0;  ///< What its own packs take on disk.
  std::uint32_t packs = 0;            ///< All that it names.
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
  std::optional<Pin> pin;  ///< Set when it must not be removed.
};

struct WriteStats {
  std::uint64_t raw_bytes = 0;        ///< Of the chunks appended.
  std::uint64_t stored_bytes = 0;     ///< Of their blobs, adopted ones too, without headers.
  std::uint64_t new_bytes = 0;        ///< Of the blobs that were put, without headers.
  std::uint64_t file_bytes = 0;       ///< Of own packs whose footer was written.
  std::uint32_t packs = 0;            ///< Own packs started.
  std::uint64_t chunks = 0;           ///< Appended.
  std::uint64_t blobs = 0;            ///< Put.
  std::uint32_t rewritten_files = 0;  ///< Whose first sync failed and whose second try did not.
};

struct CommittedBackup {
  BackupKey key;
  WriteStats stats;
  format::Digest manifest_digest{};
};

/// What a dead writer, or a removal that was cut short, had left and begin_backup() removed.
struct Cleared {
  std::vector<BackupKey> backups;   ///< Uncommitted or half-removed backups.
  std::uint64_t packs = 0;          ///< Their pack files, those in the trash now too.
  std::uint64_t bytes = 0;          ///< What those pack files held.
  std::uint64_t trashed_packs = 0;  ///< Of these, what is in the trash.
  std::uint64_t trashed_bytes = 0;
  std::uint64_t files = 0;  ///< Other files.
  /// Packs of removed backups that stay, as other backups name them (or may: see `kept_because`).
  std::uint64_t kept_packs = 0;
  /// Why no pack of a removed backup could be given up: what other backups need is not known.
  std::optional<Error> kept_because;
  /// Pack files of backups that have no directory: left, as the directory may only be elsewhere.
  std::uint64_t stray_packs = 0;
};

}  // namespace sluice::storage
