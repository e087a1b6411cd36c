#include "storage/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/backup_id.h"
#include "storage/checksum.h"

namespace sluice::storage {
namespace {

using format::ManifestHeader;
using format::ManifestPack;

template <class T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}

std::uint64_t header_checksum(const ManifestHeader& header) noexcept {
  return xxh3_64(bytes_of(header).first(offsetof(ManifestHeader, checksum)));
}

/// Reads a file from its start to its end and digests what it gives.
class Cursor {
 public:
  Cursor(const Fd& file, std::string object) : file_(file), object_(std::move(object)) {}

  Result<void> read(std::span<std::byte> into) {
    if (auto ok = read_exactly(file_, into, offset_, object_); !ok) return ok;
    digest_.update(into);
    offset_ += into.size();
    return {};
  }
  [[nodiscard]] format::Digest digest() const noexcept { return digest_.digest(); }
  [[nodiscard]] const std::string& object() const noexcept { return object_; }

  [[nodiscard]] std::unexpected<Error> refuse(Errc code, std::string_view what) const {
    return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", object_, what)});
  }

 private:
  const Fd& file_;
  std::string object_;
  DigestStream digest_;
  std::uint64_t offset_ = 0;
};

Result<void> check_header(const ManifestHeader& header, const Cursor& cursor) {
  if (header.magic != format::manifest_magic) return cursor.refuse(Errc::corrupt, "no manifest");
  if (const auto found = header_checksum(header); found != header.checksum) {
    return cursor.refuse(
        Errc::checksum_mismatch,
        fmt::format("header, expected {:016x}, found {:016x}", header.checksum, found));
  }
  if (header.major != format::version_major) {
    return cursor.refuse(Errc::unsupported_format,
                         fmt::format("format {}.{}", header.major, header.minor));
  }
  if (header.flags != 0)
    return cursor.refuse(Errc::unsupported_feature, fmt::format("flags {:#x}", header.flags));
  return {};
}

/// The size that the header announces must be the size that the file has: only then is memory
/// taken for it.
Result<void> check_size(const ManifestHeader& header, std::uint64_t file_bytes,
                        const Cursor& cursor) {
  const bool countable = header.meta_bytes <= format::meta_bytes_max &&
                         header.chunk_count <= format::backup_chunks_max &&
                         header.pack_count <= header.chunk_count;
  if (!countable) {
    return cursor.refuse(Errc::limit_exceeded,
                         fmt::format("{} bytes of metadata, {} chunks and {} packs",
                                     header.meta_bytes, header.chunk_count, header.pack_count));
  }
  const std::uint64_t expected = sizeof header + header.instance_bytes + header.meta_bytes +
                                 std::uint64_t{header.pack_count} * sizeof(ManifestPack) +
                                 header.chunk_count * sizeof(ChunkRef) + sizeof(format::Digest);
  if (file_bytes == expected) return {};
  return cursor.refuse(file_bytes < expected ? Errc::truncated : Errc::corrupt,
                       fmt::format("{} bytes, expected {}", file_bytes, expected));
}

Result<void> check_identity(const ManifestHeader& header, std::string_view instance,
                            const BackupKey& key, std::array<std::byte, 8> repository,
                            const Cursor& cursor) {
  const BackupId id{.time_ms = header.backup_time_ms, .random = header.backup_random};
  if (!has_text(id)) return cursor.refuse(Errc::corrupt, "of no backup: its id is out of range");
  if (to_string(id) == key.id && instance == key.instance && header.repository == repository)
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
    packs.push_back(
        {.id = to_string(id), .file_bytes = record.file_bytes, .digest = record.digest});
  }
  return packs;
}

Result<void> check_chunks(const Backup& backup, const ManifestHeader& header,
                          const Cursor& cursor) {
  std::uint64_t raw = 0;
  std::uint64_t stored = 0;
  for (std::size_t i = 0; i < backup.chunks.size(); ++i) {
    const ChunkRef& chunk = backup.chunks[i];
    const auto refuse = [&](Errc code, std::string_view what) {
      return cursor.refuse(code, fmt::format("chunk {}: {}", i, what));
    };
    if (chunk.pack >= backup.packs.size()) return refuse(Errc::corrupt, "no such pack");
    if (chunk.raw_bytes > format::chunk_raw_bytes_max ||
        chunk.stored_bytes > format::chunk_stored_bytes_max)
      return refuse(Errc::limit_exceeded, "chunk size");
    const std::uint64_t pack_bytes = backup.packs[chunk.pack].file_bytes;
    const std::uint64_t blob_bytes = sizeof(format::BlobHeader) + chunk.stored_bytes;
    if (chunk.offset > pack_bytes || blob_bytes > pack_bytes - chunk.offset)
      return refuse(Errc::corrupt, "outside its pack");
    if (chunk.raw_offset != raw) return refuse(Errc::corrupt, "raw offset");
    raw += chunk.raw_bytes;
    stored += chunk.stored_bytes;
  }
  if (raw == header.raw_bytes && stored == header.stored_bytes) return {};
  return cursor.refuse(Errc::corrupt, "the sums of its chunks are not those of its header");
}

/// Everything after the header, digest included.
Result<Backup> read_body(const ManifestHeader& header, Cursor& cursor) {
  Backup backup{.key = {},
                .meta_json = {},
                .raw_bytes = header.raw_bytes,
                .stored_bytes = header.stored_bytes,
                .packs = {},
                .chunks = {},
                .manifest_digest = {},
                .manifest_damage = {},
                .head_damage = {}};
  backup.key.instance.resize(header.instance_bytes);
  backup.meta_json.resize(header.meta_bytes);
  for (std::string* text : {&backup.key.instance, &backup.meta_json}) {
    if (auto ok = cursor.read(std::as_writable_bytes(std::span(*text))); !ok)
      return std::unexpected(std::move(ok.error()));
  }
  auto packs = read_packs(header.pack_count, cursor);
  if (!packs) return std::unexpected(std::move(packs.error()));
  backup.packs = *std::move(packs);
  backup.chunks.resize(header.chunk_count);
  if (auto ok = cursor.read(std::as_writable_bytes(std::span(backup.chunks))); !ok)
    return std::unexpected(std::move(ok.error()));

  const format::Digest found = cursor.digest();
  if (auto ok = cursor.read(backup.manifest_digest); !ok)
    return std::unexpected(std::move(ok.error()));
  if (found != backup.manifest_digest) {
    return cursor.refuse(
        Errc::checksum_mismatch,
        fmt::format("expected {}, found {}", to_hex(backup.manifest_digest), to_hex(found)));
  }
  return backup;
}

ManifestHeader header_of(const Backup& backup, std::array<std::byte, 8> repository) {
  const BackupId id = parse_backup_id(backup.key.id).value_or(BackupId{});
  ManifestHeader header;
  header.instance_bytes = static_cast<std::uint16_t>(backup.key.instance.size());
  header.repository = repository;
  header.backup_time_ms = id.time_ms;
  header.backup_random = id.random;
  header.pack_count = static_cast<std::uint32_t>(backup.packs.size());
  header.chunk_count = backup.chunks.size();
  header.meta_bytes = backup.meta_json.size();
  header.raw_bytes = backup.raw_bytes;
  header.stored_bytes = backup.stored_bytes;
  header.checksum = header_checksum(header);
  return header;
}

}  // namespace

Result<format::Digest> write_manifest(const Backup& backup, std::array<std::byte, 8> repository,
                                      const ByteSink& sink) {
  std::vector<ManifestPack> packs;
  for (const PackRef& pack : backup.packs) {
    const PackId id = parse_pack_id(pack.id).value_or(PackId{});
    packs.push_back({.backup_time_ms = id.backup.time_ms,
                     .backup_random = id.backup.random,
                     .sequence = id.sequence,
                     .file_bytes = pack.file_bytes,
                     .digest = pack.digest});
  }
  const ManifestHeader header = header_of(backup, repository);
  DigestStream digest;
  for (const std::span<const std::byte> part :
       {bytes_of(header), std::as_bytes(std::span(backup.key.instance)),
        std::as_bytes(std::span(backup.meta_json)), std::as_bytes(std::span(packs)),
        std::as_bytes(std::span(backup.chunks))}) {
    digest.update(part);
    if (auto ok = sink(part); !ok) return std::unexpected(std::move(ok.error()));
  }
  const format::Digest whole = digest.digest();
  if (auto ok = sink(whole); !ok) return std::unexpected(std::move(ok.error()));
  return whole;
}

Result<Backup> read_manifest(const Directory& directory, const std::string& name,
                             const BackupKey& key, std::array<std::byte, 8> repository) {
  const auto file = open_for_reading(directory, name);
  if (!file) return std::unexpected(file.error());
  Cursor cursor(*file, directory.path_of(name));
  const auto file_bytes = size_of(*file, cursor.object());
  if (!file_bytes) return std::unexpected(file_bytes.error());

  ManifestHeader header;
  if (auto ok = cursor.read(std::as_writable_bytes(std::span(&header, 1))); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = check_header(header, cursor); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = check_size(header, *file_bytes, cursor); !ok)
    return std::unexpected(std::move(ok.error()));
  auto backup = read_body(header, cursor);
  if (!backup) return backup;
  if (auto ok = check_identity(header, backup->key.instance, key, repository, cursor); !ok)
    return std::unexpected(std::move(ok.error()));
  if (auto ok = check_chunks(*backup, header, cursor); !ok)
    return std::unexpected(std::move(ok.error()));
  backup->key = key;
  return backup;
}

}  // namespace sluice::storage
