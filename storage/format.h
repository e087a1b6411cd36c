#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

/// The bytes of a repository, shared by what writes and what reads them. docs/repository-format.md
/// is the same thing in prose, in the same words; change both or neither.
///
/// Units: offsets and lengths in bytes. Every integer is little-endian; every digest is in the
/// canonical (big-endian) order of xxHash, so that it reads as xxh128sum prints it. Every struct is
/// laid out without padding and is copied from and to the file as it is.
namespace sluice::storage::format {

static_assert(std::endian::native == std::endian::little,
              "structs are copied to files as they are");

inline constexpr std::uint16_t version_major = 0;  // 0.x: may change until 1.0
inline constexpr std::uint16_t version_minor = 3;
inline constexpr std::uint16_t version_minor_oldest = 2;  // older minors are not read

inline constexpr std::uint64_t pack_target_bytes = 64ULL << 20;
inline constexpr std::uint32_t chunk_raw_bytes_max = 4U << 20;
inline constexpr std::uint32_t tag_bytes = 16;  // of AES-256-GCM, after what it encrypted
inline constexpr std::uint32_t chunk_stored_bytes_max = chunk_raw_bytes_max + tag_bytes;
inline constexpr std::uint32_t pack_blobs_max = 16384;  // bounds the footer at 1 MiB
inline constexpr std::uint64_t meta_bytes_max = 64ULL << 20;
inline constexpr std::uint64_t backup_chunks_max = 1ULL << 27;  // and packs: none is empty
inline constexpr unsigned chain_blobs_max = 8;                  // a base and seven deltas
inline constexpr std::uint32_t label_bytes_max = 64U << 10;     // of one chunk
inline constexpr std::uint64_t labels_bytes_max = 16ULL << 30;  // of all of them
inline constexpr std::uint64_t manifest_bytes_max = 96ULL << 30;
inline constexpr std::uint64_t text_bytes_max = 64ULL << 10;             // FORMAT, HEAD
inline constexpr std::uint64_t encrypted_text_bytes_max = 192ULL << 10;  // two digits a byte
inline constexpr unsigned shard_count = 256;

using Magic = std::array<char, 8>;
using SmallMagic = std::array<char, 4>;
using Digest = std::array<std::byte, 16>;  // XXH3-128, canonical
using Identity = std::array<std::byte, 32>;
using PackSalt = std::array<std::byte, 16>;
using PackCommitment = std::array<std::byte, 16>;
using ManifestSalt = std::array<std::byte, 12>;

/// How FORMAT and encrypted texts call AES-256-GCM.
inline constexpr std::string_view cipher_name = "aes-256-gcm";

inline constexpr Magic pack_magic{'S', 'L', 'U', 'I', 'C', 'E', 'P', 'K'};
inline constexpr Magic manifest_magic{'S', 'L', 'U', 'I', 'C', 'E', 'M', 'F'};
inline constexpr SmallMagic blob_magic{'S', 'L', 'B', 'B'};
inline constexpr SmallMagic footer_magic{'S', 'L', 'F', 'T'};
inline constexpr SmallMagic trailer_magic{'S', 'L', 'P', 'E'};

/// What a chunk holds; storage treats all alike. Values are never reused.
enum class BlobType : std::uint8_t {
  stream = 1,    ///< A piece of an RDB as it was received.
  records = 2,   ///< A run of records, sorted.
  fragment = 3,  ///< A piece of one long value.
  preamble = 4,  ///< What an RDB has before and after its records.
};
inline constexpr std::uint8_t blob_type_max = 4;
/// How a blob's stored bytes become its raw bytes. Values are never reused.
enum class Codec : std::uint8_t { none = 0, lz4_block = 1, zstd_frame = 2 };
inline constexpr std::uint8_t codec_max = 2;
/// Bits of `BlobHeader::flags`. Any but these is refused.
inline constexpr std::uint8_t blob_flag_encrypted = 1U << 0;  ///< As all of its repository.
inline constexpr std::uint8_t blob_flag_delta = 1U << 1;      ///< The raw bytes are a delta text.
/// The most that a blob of such flags takes, its header not counted.
[[nodiscard]] constexpr std::uint32_t stored_bytes_max(std::uint8_t flags) noexcept {
  return chunk_raw_bytes_max + ((flags & blob_flag_encrypted) != 0 ? tag_bytes : 0);
}
/// Bit of `PackHeader::flags` and `ManifestHeader::flags`: set in all of an encrypted repository.
inline constexpr std::uint16_t flag_encrypted = 1U << 0;

/// First 64 bytes of a pack.
struct PackHeader {
  Magic magic = pack_magic;
  std::uint16_t major = version_major;
  std::uint16_t minor = version_minor;
  std::uint32_t flags = 0;
  std::array<std::byte, 8> repository{};  ///< First half of the repository id.
  std::uint64_t backup_time_ms = 0;       ///< The pack id: backup id (time, random), sequence.
  std::uint32_t backup_random = 0;
  std::uint32_t sequence = 0;
  PackSalt salt{};             ///< Random in an encrypted repository, else zero.
  std::uint64_t checksum = 0;  ///< XXH3-64 of the 56 bytes before.
};
static_assert(sizeof(PackHeader) == 64 && std::is_trivially_copyable_v<PackHeader>);
static_assert(offsetof(PackHeader, repository) == 16 && offsetof(PackHeader, salt) == 40);

/// A pack id as it lies in a pack header; a backup id is the first 12 bytes.
[[nodiscard]] inline std::array<std::byte, 16> pack_id_bytes(std::uint64_t backup_time_ms,
                                                             std::uint32_t backup_random,
                                                             std::uint32_t sequence) noexcept {
  std::array<std::byte, 16> bytes{};
  std::memcpy(bytes.data(), &backup_time_ms, sizeof backup_time_ms);
  std::memcpy(bytes.data() + 8, &backup_random, sizeof backup_random);
  std::memcpy(bytes.data() + 12, &sequence, sizeof sequence);
  return bytes;
}

/// Before the stored bytes of each blob, in clear even when those are encrypted.
struct BlobHeader {
  SmallMagic magic = blob_magic;
  std::uint8_t version = 1;
  std::uint8_t type = static_cast<std::uint8_t>(BlobType::stream);
  std::uint8_t codec = static_cast<std::uint8_t>(Codec::none);
  std::uint8_t flags = 0;
  std::uint32_t ordinal = 0;  ///< Blobs before it in the backup that wrote it.
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  std::uint32_t header_checksum = 0;  ///< Low half of XXH3-64 of this header, this field zero.
  std::uint64_t checksum = 0;         ///< XXH3-64 of the stored bytes.
  Identity identity{};                ///< Of the raw bytes; of a delta, of what it makes.
};
static_assert(sizeof(BlobHeader) == 64 && std::is_trivially_copyable_v<BlobHeader>);
static_assert(offsetof(BlobHeader, header_checksum) == 20 && offsetof(BlobHeader, checksum) == 24);

struct FooterHeader {
  SmallMagic magic = footer_magic;
  std::uint32_t count = 0;  ///< Entries that follow, in file order.
};
static_assert(sizeof(FooterHeader) == 8);

/// What the footer says of one blob: where its header starts, and the header's fields.
struct FooterEntry {
  std::uint64_t offset = 0;
  std::uint32_t ordinal = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  std::uint8_t type = 0;
  std::uint8_t codec = 0;
  std::uint8_t flags = 0;
  std::uint8_t reserved = 0;
  std::uint64_t checksum = 0;
  Identity identity{};

  friend bool operator==(const FooterEntry&, const FooterEntry&) = default;
};
static_assert(sizeof(FooterEntry) == 64 && std::is_trivially_copyable_v<FooterEntry>);
/// Between the entries and the checksum of the footer, in an encrypted repository only.
struct FooterSeal {
  PackSalt salt{};              ///< Again, for when the header is damaged.
  PackCommitment commitment{};  ///< First half of HMAC-SHA-256 of "commit" under the pack's key.
};
static_assert(sizeof(FooterSeal) == 32 && std::is_trivially_copyable_v<FooterSeal>);
inline constexpr std::size_t footer_checksum_bytes = 8;  // XXH3-64 of the footer before it

/// Last 32 bytes of a pack.
struct PackTrailer {
  SmallMagic magic = trailer_magic;
  std::uint32_t footer_bytes = 0;   ///< Header, entries, seal and checksum.
  std::uint64_t footer_offset = 0;  ///< The footer ends where the trailer starts.
  Digest digest{};                  ///< XXH3-128 of every byte of the file before this field.
};
static_assert(sizeof(PackTrailer) == 32 && offsetof(PackTrailer, digest) == 16);

/// First 48 bytes of the raw bytes of a delta. After it: ops, then literal bytes.
struct DeltaHeader {
  std::array<std::byte, 16> base{};  ///< First half of the identity of the chunk it is against.
  std::uint32_t base_bytes = 0;
  std::uint32_t result_bytes = 0;
  Digest result_digest{};  ///< XXH3-128 of the result.
  std::uint32_t op_count = 0;
  std::uint32_t ops_bytes = 0;
};
static_assert(sizeof(DeltaHeader) == 48 && std::is_trivially_copyable_v<DeltaHeader>);

/// First 128 bytes of a manifest. After it: instance name, metadata text, packs, blobs, chunks,
/// labels, digest. Where it is encrypted: instance name, packs; metadata text, blobs, chunks and
/// labels in segments; digest.
struct ManifestHeader {
  Magic magic = manifest_magic;
  std::uint16_t major = version_major;
  std::uint16_t minor = version_minor;
  std::uint16_t flags = 0;
  std::uint16_t instance_bytes = 0;
  std::array<std::byte, 8> repository{};
  std::uint64_t backup_time_ms = 0;
  std::uint32_t backup_random = 0;
  std::uint32_t pack_count = 0;
  std::uint64_t blob_count = 0;
  std::uint64_t chunk_count = 0;
  std::uint64_t meta_bytes = 0;
  std::uint64_t label_bytes = 0;
  std::uint64_t raw_bytes = 0;       ///< Sum of raw_bytes of all chunks.
  std::uint64_t stored_bytes = 0;    ///< Sum of stored_bytes of all blobs.
  std::uint64_t new_bytes = 0;       ///< The same of those in this backup's own packs.
  std::uint64_t parent_time_ms = 0;  ///< Id of the backup this one builds on; zeros: none.
  std::uint32_t parent_random = 0;
  ManifestSalt salt{};         ///< Random in an encrypted repository, else zero.
  std::uint64_t checksum = 0;  ///< XXH3-64 of the 120 bytes before.
};
static_assert(sizeof(ManifestHeader) == 128 && std::is_trivially_copyable_v<ManifestHeader>);
static_assert(offsetof(ManifestHeader, checksum) == 120);

/// Plain bytes of every segment of an encrypted manifest but the last; a tag follows each.
inline constexpr std::size_t manifest_segment_bytes = std::size_t{1} << 20;

struct ManifestPack {
  std::uint64_t backup_time_ms = 0;  ///< The pack id, as in PackHeader.
  std::uint32_t backup_random = 0;
  std::uint32_t sequence = 0;
  std::uint64_t file_bytes = 0;
  Digest digest{};  ///< Equals the digest in the pack's trailer.
};
static_assert(sizeof(ManifestPack) == 40 && std::is_trivially_copyable_v<ManifestPack>);

/// Where a blob lies, and the fields of its header that tell it from another.
struct ManifestBlob {
  std::uint32_t pack = 0;  ///< Position in the manifest's list of packs.
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  std::uint8_t type = 0;
  std::uint8_t codec = 0;
  std::uint8_t flags = 0;
  std::uint8_t reserved = 0;
  std::uint64_t offset = 0;    ///< Of the blob header in the pack.
  std::uint64_t checksum = 0;  ///< XXH3-64 of the stored bytes.

  friend bool operator==(const ManifestBlob&, const ManifestBlob&) = default;
};
static_assert(sizeof(ManifestBlob) == 32 && std::is_trivially_copyable_v<ManifestBlob>);

/// A chunk: one blob that is whole, and the deltas that make of it what it is in this backup.
struct ManifestChunk {
  std::uint32_t first_blob = 0;  ///< Blobs of all chunks before.
  std::uint16_t blob_count = 1;  ///< 1 to chain_blobs_max.
  std::uint8_t type = 0;         ///< BlobType of all its blobs.
  std::uint8_t reserved = 0;
  std::uint32_t raw_bytes = 0;           ///< Of the chunk, deltas applied.
  std::uint32_t label_bytes = 0;         ///< Of its label, in the labels.
  std::uint64_t raw_offset = 0;          ///< Raw bytes of all chunks before.
  std::array<std::byte, 16> identity{};  ///< First half of the identity of the raw bytes.
  std::array<std::uint64_t, 3> tag{};    ///< Words of whoever made the backup.

  friend bool operator==(const ManifestChunk&, const ManifestChunk&) = default;
};
static_assert(sizeof(ManifestChunk) == 64 && std::is_trivially_copyable_v<ManifestChunk>);
static_assert(sizeof(ManifestHeader) + UINT16_MAX + meta_bytes_max + labels_bytes_max +
                      backup_chunks_max * (sizeof(ManifestPack) + sizeof(ManifestChunk) +
                                           chain_blobs_max * sizeof(ManifestBlob)) +
                      sizeof(Digest) <=
                  manifest_bytes_max,
              "what the other limits allow can be written and read");

}  // namespace sluice::storage::format
