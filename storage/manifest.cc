#include "storage/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/backup_id.h"
#include "storage/checksum.h"
#include "storage/chunk_codec.h"
#include "storage/manifest_cipher.h"
#include "storage/repository_cipher.h"

namespace sluice::storage {
namespace {

using format::ManifestHeader;
using format::ManifestPack;

template <class T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}

/// What follows the clear part of a manifest and is encrypted with it.
std::uint64_t hidden_bytes(const ManifestHeader& header) noexcept {
  return header.meta_bytes + header.blob_count * sizeof(BlobRef) +
         header.chunk_count * sizeof(ChunkRef) + header.label_bytes;
}

/// Reads a file from its start to its end and digests what it gives. Once open_rest() was called,
/// read() gives what the bytes there are encrypted from.
class Cursor {
 public:
  Cursor(Fd file, std::string object, const RepositoryStamp& stamp)
      : file_(std::move(file)), object_(std::move(object)), stamp_(stamp) {
    if (stamp_.cipher != nullptr) clear_.emplace();
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  Result<void> read(std::span<std::byte> into) {
    return opener_ ? opener_->read(into) : read_stored(into);
  }
  /// The clear part is read, the rest is encrypted.
  Result<void> open_rest(const ManifestHeader& header) {
    if (stamp_.cipher == nullptr) return refuse(Errc::key_needed, "what is encrypted in it");
    const auto key = stamp_.cipher->manifest_key(
        {.time_ms = header.backup_time_ms, .random = header.backup_random}, header.salt);
    if (!key) return std::unexpected(key.error());
    const Sha256::Digest clear = clear_->finish();
    clear_.reset();
    opener_.emplace(
        *key, clear, hidden_bytes(header),
        [this](std::span<std::byte> into) { return read_stored(into); }, object_);
    return {};
  }
  /// The same, but what is encrypted is only skipped; of its first segment it is seen that the
  /// clear part is authentic.
  Result<void> skip_rest(const ManifestHeader& header) {
    const std::uint64_t end = offset_ + sealed_part_bytes(hidden_bytes(header));
    if (stamp_.cipher != nullptr) {
      if (auto ok = open_rest(header); !ok) return ok;
      if (auto ok = opener_->next_segment(); !ok) return ok;
      opener_.reset();
    }
    return skip(end - offset_);
  }
  /// All that was encrypted is read.
  void end_rest() { opener_.reset(); }
  /// Reads and digests `count` bytes that nobody wants.
  Result<void> skip(std::uint64_t count) {
    std::vector<std::byte> scratch(
        static_cast<std::size_t>(std::min<std::uint64_t>(count, std::uint64_t{1} << 20)));
    while (count > 0) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(count, scratch.size()));
      if (auto ok = read_stored(std::span(scratch).first(part)); !ok) return ok;
      count -= part;
    }
    return {};
  }
  [[nodiscard]] Result<std::uint64_t> file_bytes() const { return size_of(file_, object_); }
  [[nodiscard]] format::Digest digest() const noexcept { return digest_.digest(); }
  [[nodiscard]] const RepositoryStamp& stamp() const noexcept { return stamp_; }

  [[nodiscard]] std::unexpected<Error> refuse(Errc code, std::string_view what) const {
    return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", object_, what)});
  }

 private:
  Result<void> read_stored(std::span<std::byte> into) {
    if (auto ok = read_exactly(file_, into, offset_, object_); !ok) return ok;
    digest_.update(into);
    if (clear_) clear_->update(into);
    offset_ += into.size();
    return {};
  }

  Fd file_;
  std::string object_;
  const RepositoryStamp& stamp_;
  DigestStream digest_;
  std::optional<Sha256> clear_;  // of what was read until open_rest(), if there is a key
  std::optional<ManifestOpener> opener_;
  std::uint64_t offset_ = 0;
};

Result<void> check_header(const ManifestHeader& header, const Cursor& cursor) {
  if (header.magic != format::manifest_magic) return cursor.refuse(Errc::corrupt, "no manifest");
  if (const auto found = manifest_header_checksum(header); found != header.checksum) {
    return cursor.refuse(
        Errc::checksum_mismatch,
        fmt::format("header, expected {:016x}, found {:016x}", header.checksum, found));
  }
  if (header.major != format::version_major) {
    return cursor.refuse(Errc::unsupported_format,
                         fmt::format("format {}.{}", header.major, header.minor));
  }
  if (header.minor < format::version_minor_oldest) {
    return cursor.refuse(Errc::unsupported_format, fmt::format("format {}.{}, of an older sluice",
                                                               header.major, header.minor));
  }
  if (cursor.stamp().encrypted && header.flags == 0)
    return cursor.refuse(Errc::not_authentic, "not encrypted, in an encrypted repository");
  if (header.flags != (cursor.stamp().encrypted ? format::flag_encrypted : 0))
    return cursor.refuse(Errc::unsupported_feature, fmt::format("flags {:#x}", header.flags));
  return {};
}

/// The size that the header announces must be the size that the file has: only then is memory
/// taken for it.
Result<void> check_size(const ManifestHeader& header, std::uint64_t file_bytes,
                        const Cursor& cursor) {
  const bool countable = header.meta_bytes <= format::meta_bytes_max &&
                         header.chunk_count <= format::backup_chunks_max &&
                         header.blob_count <= header.chunk_count * format::chain_blobs_max &&
                         header.pack_count <= format::backup_chunks_max &&
                         header.label_bytes <= format::labels_bytes_max;
  if (!countable) {
    return cursor.refuse(
        Errc::limit_exceeded,
        fmt::format("{} bytes of metadata, {} packs, {} blobs, {} chunks and {} bytes of labels",
                    header.meta_bytes, header.pack_count, header.blob_count, header.chunk_count,
                    header.label_bytes));
  }
  const std::uint64_t rest = hidden_bytes(header);
  const std::uint64_t expected = sizeof header + header.instance_bytes +
                                 std::uint64_t{header.pack_count} * sizeof(ManifestPack) +
                                 (cursor.stamp().encrypted ? sealed_part_bytes(rest) : rest) +
                                 sizeof(format::Digest);
  if (file_bytes == expected) return {};
  return cursor.refuse(file_bytes < expected ? Errc::truncated : Errc::corrupt,
                       fmt::format("{} bytes, expected {}", file_bytes, expected));
}

Result<void> check_identity(const ManifestHeader& header, std::string_view instance,
                            const BackupKey& key, const Cursor& cursor) {
  const BackupId id{.time_ms = header.backup_time_ms, .random = header.backup_random};
  if (!has_text(id)) return cursor.refuse(Errc::corrupt, "of no backup: its id is out of range");
  if (to_string(id) == key.id && instance == key.instance && header.repository == cursor.stamp().id)
    return {};
  return cursor.refuse(Errc::corrupt, fmt::format("of backup {}/{} in repository {}...", instance,
                                                  to_string(id), to_hex(header.repository)));
}

Result<std::vector<PackRef>> read_packs(std::uint32_t count, Cursor& cursor) {
  std::vector<ManifestPack> records(count);
  if (auto ok = cursor.read(std::as_writable_bytes(std::span(records))); !ok)
    return std::unexpected(std::move(ok.error()));
  std::vector<PackRef> packs;
  packs.reserve(count);
  for (const ManifestPack& record : records) {
    const PackId id{.backup = {.time_ms = record.backup_time_ms, .random = record.backup_random},
                    .sequence = record.sequence};
    if (!has_text(id.backup)) return cursor.refuse(Errc::corrupt, "a pack's id is out of range");
    packs.push_back({.id = id, .file_bytes = record.file_bytes, .digest = record.digest});
  }
  return packs;
}

std::optional<BackupId> parent_of(const ManifestHeader& header) {
  if (header.parent_time_ms == 0 && header.parent_random == 0) return std::nullopt;
  return BackupId{.time_ms = header.parent_time_ms, .random = header.parent_random};
}

/// What is wrong with one blob by itself.
Result<void> check_blob(const Backup& backup, std::size_t at, const Cursor& cursor) {
  const BlobRef& blob = backup.blobs[at];
  const auto refuse = [&](Errc code, std::string_view what) {
    return cursor.refuse(code, fmt::format("blob {}: {}", at, what));
  };
  if (blob.pack >= backup.packs.size()) return refuse(Errc::corrupt, "no such pack");
  if (blob.raw_bytes > format::chunk_raw_bytes_max ||
      blob.stored_bytes > format::stored_bytes_max(blob.flags))
    return refuse(Errc::limit_exceeded, "blob size");
  if (const auto unknown = unknown_of_blob(blob.type, blob.codec, blob.flags))
    return refuse(Errc::unsupported_feature, *unknown);
  if (((blob.flags & format::blob_flag_encrypted) != 0) != cursor.stamp().encrypted)
    return refuse(Errc::corrupt, "encrypted, or not, unlike its repository");
  const std::uint64_t pack_bytes = backup.packs[blob.pack].file_bytes;
  const std::uint64_t blob_bytes = sizeof(format::BlobHeader) + blob.stored_bytes;
  if (blob.offset > pack_bytes || blob_bytes > pack_bytes - blob.offset)
    return refuse(Errc::corrupt, "outside its pack");
  return {};
}

/// What is wrong with one chunk, given the sums of those before it.
Result<void> check_chunk(const Backup& backup, std::size_t at, std::uint64_t blobs_before,
                         std::uint64_t raw_before, const Cursor& cursor) {
  const ChunkRef& chunk = backup.chunks[at];
  const auto refuse = [&](Errc code, std::string_view what) {
    return cursor.refuse(code, fmt::format("chunk {}: {}", at, what));
  };
  if (chunk.blob_count == 0 || chunk.blob_count > format::chain_blobs_max)
    return refuse(Errc::limit_exceeded, "number of blobs");
  if (chunk.raw_bytes > format::chunk_raw_bytes_max)
    return refuse(Errc::limit_exceeded, "chunk size");
  if (chunk.label_bytes > format::label_bytes_max)
    return refuse(Errc::limit_exceeded, "label size");
  if (chunk.raw_offset != raw_before) return refuse(Errc::corrupt, "raw offset");
  if (chunk.first_blob != blobs_before || chunk.blob_count > backup.blobs.size() - blobs_before)
    return refuse(Errc::corrupt, "first blob");
  const auto blobs = backup.blobs_of(at);
  for (std::size_t link = 0; link < blobs.size(); ++link) {
    if (const char* wrong = wrong_in_chain(blobs[link].type, blobs[link].flags, chunk.type, link))
      return refuse(Errc::corrupt, wrong);
  }
  if (blobs.size() == 1 && blobs[0].raw_bytes != chunk.raw_bytes)
    return refuse(Errc::corrupt, "not of the size of its blob");
  return {};
}

/// All that is said twice must be said alike. Leaves the ends of the labels in `label_ends`.
Result<void> check_tables(const Backup& backup, const ManifestHeader& header, const Cursor& cursor,
                          std::vector<std::uint64_t>& label_ends) {
  const BackupId own{.time_ms = header.backup_time_ms, .random = header.backup_random};
  std::uint64_t stored = 0;
  std::uint64_t fresh = 0;
  for (std::size_t i = 0; i < backup.blobs.size(); ++i) {
    if (auto ok = check_blob(backup, i, cursor); !ok) return ok;
    const BlobRef& blob = backup.blobs[i];
    stored += blob.stored_bytes;
    if (backup.packs[blob.pack].id.backup == own) fresh += blob.stored_bytes;
  }
  std::uint64_t blobs = 0;
  std::uint64_t raw = 0;
  std::uint64_t labels = 0;
  label_ends.reserve(backup.chunks.size());
  for (std::size_t i = 0; i < backup.chunks.size(); ++i) {
    if (auto ok = check_chunk(backup, i, blobs, raw, cursor); !ok) return ok;
    blobs += backup.chunks[i].blob_count;
    raw += backup.chunks[i].raw_bytes;
    labels += backup.chunks[i].label_bytes;
    label_ends.push_back(labels);
  }
  if (blobs == backup.blobs.size() && raw == header.raw_bytes && stored == header.stored_bytes &&
      fresh == header.new_bytes && labels == header.label_bytes)
    return {};
  return cursor.refuse(Errc::corrupt, "the sums of its tables are not those of its header");
}

template <class T>
Result<std::vector<T>> read_table(std::uint64_t count, Cursor& cursor) {
  std::vector<T> table(count);
  if (auto ok = cursor.read(std::as_writable_bytes(std::span(table))); !ok)
    return std::unexpected(std::move(ok.error()));
  return table;
}

Result<std::string> read_string(std::uint64_t bytes, Cursor& cursor) {
  std::string text(bytes, '\0');
  if (auto ok = cursor.read(std::as_writable_bytes(std::span(text))); !ok)
    return std::unexpected(std::move(ok.error()));
  return text;
}

/// Which backup it is of, and its packs: what is clear in any manifest.
struct Front {
  std::string instance;
  std::string meta_json;
  std::vector<PackRef> packs;
};

/// Up to the packs. What is encrypted after them is opened or, for who wants the packs only,
/// skipped.
Result<Front> read_front(const ManifestHeader& header, bool only_packs, Cursor& cursor) {
  const bool encrypted = cursor.stamp().encrypted;
  Front front;
  auto instance = read_string(header.instance_bytes, cursor);
  if (!instance) return std::unexpected(std::move(instance.error()));
  front.instance = *std::move(instance);
  const auto read_meta = [&]() -> Result<void> {
    auto meta = read_string(header.meta_bytes, cursor);
    if (!meta) return std::unexpected(std::move(meta.error()));
    front.meta_json = *std::move(meta);
    return {};
  };
  Result<void> ok;
  if (!encrypted) ok = read_meta();
  if (!ok) return std::unexpected(std::move(ok.error()));
  auto packs = read_packs(header.pack_count, cursor);
  if (!packs) return std::unexpected(std::move(packs.error()));
  front.packs = *std::move(packs);
  if (only_packs)
    ok = encrypted ? cursor.skip_rest(header)
                   : cursor.skip(hidden_bytes(header) - header.meta_bytes);
  if (encrypted && !only_packs) {
    ok = cursor.open_rest(header);
    if (ok) ok = read_meta();
  }
  if (!ok) return std::unexpected(std::move(ok.error()));
  return front;
}

/// The digest at the end, which must be that of all before.
Result<format::Digest> read_digest(Cursor& cursor) {
  const format::Digest found = cursor.digest();
  format::Digest written{};
  if (auto ok = cursor.read(written); !ok) return std::unexpected(std::move(ok.error()));
  if (found == written) return written;
  return cursor.refuse(Errc::checksum_mismatch,
                       fmt::format("expected {}, found {}", to_hex(written), to_hex(found)));
}

/// Everything after the header, digest included.
Result<Backup> read_body(const ManifestHeader& header, Cursor& cursor) {
  Backup backup;
  backup.parent = parent_of(header);
  backup.raw_bytes = header.raw_bytes;
  backup.stored_bytes = header.stored_bytes;
  backup.new_bytes = header.new_bytes;
  auto front = read_front(header, false, cursor);
  if (!front) return std::unexpected(std::move(front.error()));
  backup.key.instance = std::move(front->instance);
  backup.meta_json = std::move(front->meta_json);
  backup.packs = std::move(front->packs);
  auto blobs = read_table<BlobRef>(header.blob_count, cursor);
  if (!blobs) return std::unexpected(std::move(blobs.error()));
  backup.blobs = *std::move(blobs);
  auto chunks = read_table<ChunkRef>(header.chunk_count, cursor);
  if (!chunks) return std::unexpected(std::move(chunks.error()));
  backup.chunks = *std::move(chunks);
  auto labels = read_table<std::byte>(header.label_bytes, cursor);
  if (!labels) return std::unexpected(std::move(labels.error()));
  cursor.end_rest();
  const auto digest = read_digest(cursor);
  if (!digest) return std::unexpected(digest.error());
  backup.manifest_digest = *digest;
  std::vector<std::uint64_t> label_ends;
  if (auto ok = check_tables(backup, header, cursor, label_ends); !ok)
    return std::unexpected(std::move(ok.error()));
  backup.labels.assign(*std::move(labels), std::move(label_ends));
  return backup;
}

Result<ManifestHeader> read_header(Cursor& cursor) {
  const auto file_bytes = cursor.file_bytes();
  if (!file_bytes) return std::unexpected(file_bytes.error());
  ManifestHeader header;
  if (auto ok = cursor.read(std::as_writable_bytes(std::span(&header, 1))); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = check_header(header, cursor); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = check_size(header, *file_bytes, cursor); !ok)
    return std::unexpected(std::move(ok.error()));
  return header;
}

}  // namespace

const char* wrong_in_chain(std::uint8_t blob_type, std::uint8_t blob_flags, std::uint8_t type,
                           std::size_t link) noexcept {
  if (blob_type != type) return "a blob is of another type";
  const bool is_delta = (blob_flags & format::blob_flag_delta) != 0;
  if (link == 0 && is_delta) return "begins with a delta";
  if (link > 0 && !is_delta) return "a blob after the first is no delta";
  return nullptr;
}

namespace {

/// Opens a manifest and reads it by `read`, which is given cursor and header.
template <class Read>
auto read_with(const Directory& directory, const std::string& name, const RepositoryStamp& stamp,
               Read read) -> decltype(read(std::declval<Cursor&>(), ManifestHeader())) {
  auto file = open_for_reading(directory, name);
  if (!file) return std::unexpected(std::move(file.error()));
  Cursor cursor(*std::move(file), directory.path_of(name), stamp);
  const auto header = read_header(cursor);
  if (!header) return std::unexpected(header.error());
  return read(cursor, *header);
}

/// What is not authentic may only be damaged: then its digest is wrong too, and says so.
Error damage_or(Error error, const Directory& directory, const std::string& name,
                const RepositoryStamp& stamp) {
  if (error.code != Errc::not_authentic) return error;
  RepositoryStamp without_key = stamp;
  without_key.cipher = nullptr;
  const auto whole =
      read_with(directory, name, without_key, [](Cursor& cursor, const ManifestHeader& header) {
        auto front = read_front(header, true, cursor);
        if (!front) return Result<format::Digest>(std::unexpect, front.error());
        return read_digest(cursor);
      });
  return whole ? error : whole.error();
}

}  // namespace

Result<Backup> read_manifest(const Directory& directory, const std::string& name,
                             const BackupKey& key, const RepositoryStamp& stamp) {
  auto backup = read_with(directory, name, stamp,
                          [&](Cursor& cursor, const ManifestHeader& header) -> Result<Backup> {
                            auto read = read_body(header, cursor);
                            if (!read) return read;
                            auto ok = check_identity(header, read->key.instance, key, cursor);
                            if (!ok) return std::unexpected(std::move(ok.error()));
                            return read;
                          });
  if (!backup) return std::unexpected(damage_or(backup.error(), directory, name, stamp));
  backup->key = key;
  return backup;
}

Result<ManifestPacks> read_manifest_packs(const Directory& directory, const std::string& name,
                                          const BackupKey& key, const RepositoryStamp& stamp) {
  auto packs = read_with(
      directory, name, stamp,
      [&](Cursor& cursor, const ManifestHeader& header) -> Result<ManifestPacks> {
        auto front = read_front(header, true, cursor);
        if (!front) return std::unexpected(std::move(front.error()));
        const auto digest = read_digest(cursor);
        if (!digest) return std::unexpected(digest.error());
        if (auto ok = check_identity(header, front->instance, key, cursor); !ok)
          return std::unexpected(std::move(ok.error()));
        return ManifestPacks{.packs = std::move(front->packs), .manifest_digest = *digest};
      });
  if (!packs) return std::unexpected(damage_or(packs.error(), directory, name, stamp));
  return packs;
}

}  // namespace sluice::storage
