#include "storage/chunk_codec.h"

#include <fmt/format.h>
#include <lz4.h>

#include <cstring>

#include "storage/checksum.h"

namespace sluice::storage {
namespace {

using format::BlobHeader;
using format::Codec;

const char* chars(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const char*>(bytes.data());
}
char* chars(std::span<std::byte> bytes) noexcept { return reinterpret_cast<char*>(bytes.data()); }

/// The most that compressed bytes may take to be worth their decoding.
std::size_t stored_bytes_worth_it(std::size_t raw_bytes) noexcept {
  return raw_bytes - raw_bytes / 32;
}

bool decodes_to(std::span<const std::byte> stored, std::span<std::byte> raw) {
  const int size = LZ4_decompress_safe(chars(stored), chars(raw), static_cast<int>(stored.size()),
                                       static_cast<int>(raw.size()));
  return size >= 0 && static_cast<std::size_t>(size) == raw.size();
}

std::unexpected<Error> refuse(Errc code, std::string_view where, std::string_view what) {
  return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", where, what)});
}

}  // namespace

ChunkEncoder::ChunkEncoder() : ChunkEncoder(decodes_to) {}

ChunkEncoder::ChunkEncoder(Decoder decoder)
    : decoder_(decoder),
      stored_(format::chunk_raw_bytes_max),
      proof_(format::chunk_raw_bytes_max) {}

Result<EncodedChunk> ChunkEncoder::encode(std::span<const std::byte> raw, std::uint32_t ordinal) {
  if (raw.size() > format::chunk_raw_bytes_max) {
    return refuse(Errc::limit_exceeded, fmt::format("chunk {}", ordinal),
                  fmt::format("{} raw bytes, at most {}", raw.size(), format::chunk_raw_bytes_max));
  }
  EncodedChunk chunk{.header = {}, .stored = raw};
  // LZ4 gives up, returning 0, as soon as it cannot stay within what is worth it.
  const int size = raw.empty()
                       ? 0
                       : LZ4_compress_default(chars(raw), chars(std::span(stored_)),
                                              static_cast<int>(raw.size()),
                                              static_cast<int>(stored_bytes_worth_it(raw.size())));
  if (size > 0) {
    chunk.stored = std::span(stored_).first(static_cast<std::size_t>(size));
    chunk.header.codec = static_cast<std::uint8_t>(Codec::lz4_block);
    const auto proof = std::span(proof_).first(raw.size());
    if (!decoder_(chunk.stored, proof) || std::memcmp(proof.data(), raw.data(), raw.size()) != 0)
      return refuse(Errc::codec_failure, fmt::format("chunk {}", ordinal), "LZ4");
  }
  chunk.header.ordinal = ordinal;
  chunk.header.stored_bytes = static_cast<std::uint32_t>(chunk.stored.size());
  chunk.header.raw_bytes = static_cast<std::uint32_t>(raw.size());
  chunk.header.checksum = xxh3_64(chunk.stored);
  chunk.header.header_checksum = checksum_of(chunk.header);
  return chunk;
}

std::uint32_t checksum_of(const BlobHeader& header) noexcept {
  BlobHeader copy = header;
  copy.header_checksum = 0;
  return static_cast<std::uint32_t>(xxh3_64(std::as_bytes(std::span(&copy, 1))));
}

Result<void> check_blob_header(const BlobHeader& header, std::string_view where) {
  if (header.magic != format::blob_magic) return refuse(Errc::corrupt, where, "no blob here");
  if (const auto found = checksum_of(header); found != header.header_checksum) {
    return refuse(
        Errc::checksum_mismatch, where,
        fmt::format("blob header, expected {:08x}, found {:08x}", header.header_checksum, found));
  }
  if (header.version != 1)
    return refuse(Errc::unsupported_format, where, fmt::format("blob version {}", header.version));
  if (header.type != static_cast<std::uint8_t>(format::BlobType::chunk))
    return refuse(Errc::unsupported_feature, where, fmt::format("blob type {}", header.type));
  if (header.flags != 0)
    return refuse(Errc::unsupported_feature, where, fmt::format("blob flags {:#x}", header.flags));
  if (header.codec > static_cast<std::uint8_t>(Codec::lz4_block))
    return refuse(Errc::unsupported_feature, where, fmt::format("codec {}", header.codec));
  if (header.raw_bytes > format::chunk_raw_bytes_max ||
      header.stored_bytes > format::chunk_stored_bytes_max) {
    return refuse(
        Errc::limit_exceeded, where,
        fmt::format("blob of {} stored and {} raw bytes", header.stored_bytes, header.raw_bytes));
  }
  return {};
}

Result<std::span<const std::byte>> decode_blob(const BlobHeader& header,
                                               std::span<const std::byte> stored,
                                               std::span<std::byte> scratch,
                                               std::string_view where) {
  if (const auto found = xxh3_64(stored); found != header.checksum) {
    return refuse(
        Errc::checksum_mismatch, where,
        fmt::format("stored bytes, expected {:016x}, found {:016x}", header.checksum, found));
  }
  if (header.codec == static_cast<std::uint8_t>(Codec::none)) {
    if (stored.size() == header.raw_bytes) return stored;
    return refuse(
        Errc::corrupt, where,
        fmt::format("{} stored bytes are not the {} raw bytes", stored.size(), header.raw_bytes));
  }
  const auto raw = scratch.first(header.raw_bytes);
  if (decodes_to(stored, raw)) return raw;
  return refuse(Errc::corrupt, where,
                fmt::format("LZ4 block does not decode to {} bytes", header.raw_bytes));
}

}  // namespace sluice::storage
