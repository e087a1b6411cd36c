#include "storage/backup_id.h"
#include "storage/checksum.h"
#include "storage/manifest.h"
#include "storage/manifest_cipher.h"
#include "storage/repository_cipher.h"

namespace sluice::storage {
namespace {

using format::ManifestHeader;
using format::ManifestPack;

using Part = std::span<const std::byte>;

template <class T>
Part bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}

ManifestHeader header_of(const Backup& backup, const RepositoryStamp& stamp,
                         const format::ManifestSalt& salt) {
  const BackupId id = parse_backup_id(backup.key.id).value_or(BackupId{});
  const BackupId parent = backup.parent.value_or(BackupId{});
  ManifestHeader header;
  header.instance_bytes = static_cast<std::uint16_t>(backup.key.instance.size());
  header.minor = stamp.minor;
  if (stamp.encrypted) header.flags = format::flag_encrypted;
  header.repository = stamp.id;
  header.backup_time_ms = id.time_ms;
  header.backup_random = id.random;
  header.pack_count = static_cast<std::uint32_t>(backup.packs.size());
  header.blob_count = backup.blobs.size();
  header.chunk_count = backup.chunks.size();
  header.meta_bytes = backup.meta_json.size();
  header.label_bytes = backup.labels.bytes().size();
  header.raw_bytes = backup.raw_bytes;
  header.stored_bytes = backup.stored_bytes;
  header.new_bytes = backup.new_bytes;
  header.parent_time_ms = parent.time_ms;
  header.parent_random = parent.random;
  header.salt = salt;
  header.checksum = manifest_header_checksum(header);
  return header;
}

std::vector<ManifestPack> pack_table(const Backup& backup) {
  std::vector<ManifestPack> packs;
  packs.reserve(backup.packs.size());
  for (const PackRef& pack : backup.packs) {
    packs.push_back({.backup_time_ms = pack.id.backup.time_ms,
                     .backup_random = pack.id.backup.random,
                     .sequence = pack.id.sequence,
                     .file_bytes = pack.file_bytes,
                     .digest = pack.digest});
  }
  return packs;
}

/// What a manifest consists of, each part once.
struct Parts {
  Part header;
  Part instance;
  Part meta;
  Part packs;
  Part blobs;
  Part chunks;
  Part labels;
};

Result<void> put_all(const ByteSink& sink, std::initializer_list<Part> parts) {
  for (const Part part : parts) {
    if (auto ok = sink(part); !ok) return ok;
  }
  return {};
}

/// The clear part, then the rest in segments.
Result<void> write_encrypted(const Parts& parts, const SecretKey& key, const ByteSink& sink) {
  Sha256 clear;
  for (const Part part : {parts.header, parts.instance, parts.packs}) clear.update(part);
  if (auto ok = put_all(sink, {parts.header, parts.instance, parts.packs}); !ok) return ok;
  ManifestSealer sealer(key, clear.finish(), sink);
  const auto seal = [&](Part part) { return sealer.append(part); };
  if (auto ok = put_all(seal, {parts.meta, parts.blobs, parts.chunks, parts.labels}); !ok)
    return ok;
  return sealer.finish();
}

Result<void> write_parts(const Parts& parts, const RepositoryStamp& stamp, const BackupId& id,
                         const format::ManifestSalt& salt, const ByteSink& sink) {
  if (!stamp.encrypted) {
    return put_all(sink, {parts.header, parts.instance, parts.meta, parts.packs, parts.blobs,
                          parts.chunks, parts.labels});
  }
  const auto key = stamp.cipher->manifest_key(id, salt);
  if (!key) return std::unexpected(key.error());
  return write_encrypted(parts, *key, sink);
}

}  // namespace

std::uint64_t manifest_header_checksum(const ManifestHeader& header) noexcept {
  return xxh3_64(bytes_of(header).first(offsetof(ManifestHeader, checksum)));
}

Result<format::Digest> write_manifest(const Backup& backup, const RepositoryStamp& stamp,
                                      const format::ManifestSalt& salt, const ByteSink& sink) {
  const std::vector<ManifestPack> packs = pack_table(backup);
  const ManifestHeader header = header_of(backup, stamp, salt);
  const Parts parts{.header = bytes_of(header),
                    .instance = std::as_bytes(std::span(backup.key.instance)),
                    .meta = std::as_bytes(std::span(backup.meta_json)),
                    .packs = std::as_bytes(std::span(packs)),
                    .blobs = std::as_bytes(std::span(backup.blobs)),
                    .chunks = std::as_bytes(std::span(backup.chunks)),
                    .labels = backup.labels.bytes()};
  DigestStream digest;
  const auto store = [&](Part part) {
    digest.update(part);
    return sink(part);
  };
  const BackupId id{.time_ms = header.backup_time_ms, .random = header.backup_random};
  if (auto ok = write_parts(parts, stamp, id, salt, store); !ok)
    return std::unexpected(std::move(ok.error()));
  const format::Digest whole = digest.digest();
  if (auto ok = sink(whole); !ok) return std::unexpected(std::move(ok.error()));
  return whole;
}

}  // namespace sluice::storage
