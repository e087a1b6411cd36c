#include "storage/chunk_codec.h"

#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <vector>

#include "storage/checksum.h"
#include "storage/chunk_buffer.h"
#include "storage/pack_key.h"

namespace sluice::storage {
namespace {

using format::BlobHeader;
using format::BlobType;
using format::Codec;

const char* chars(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const char*>(bytes.data());
}
char* chars(std::span<std::byte> bytes) noexcept { return reinterpret_cast<char*>(bytes.data()); }

/// The most that compressed bytes may take to be worth their decoding.
std::size_t stored_bytes_worth_it(std::size_t raw_bytes) noexcept {
  return raw_bytes - raw_bytes / 32;
}

constexpr std::size_t sampled_bytes_min = 64U << 10;
constexpr std::size_t sample_count = 16;
constexpr std::size_t sample_bytes = 2U << 10;

/// The rule of BlobEncoder: whether LZ4 need not be tried.
bool seems_dense(std::span<const std::byte> raw) noexcept {
  constexpr std::size_t count = 8;
  if (raw.size() < sampled_bytes_min) return false;
  std::array<std::byte, count * sample_bytes> samples;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (i + 1) * (raw.size() - sample_bytes) / (count + 1);
    std::memcpy(samples.data() + i * sample_bytes, raw.data() + at, sample_bytes);
  }
  std::array<std::byte, samples.size()> shrunk;
  constexpr auto worth_it = static_cast<int>(samples.size() - samples.size() / 12);
  return LZ4_compress_default(chars(std::span<const std::byte>(samples)),
                              chars(std::span<std::byte>(shrunk)), static_cast<int>(samples.size()),
                              worth_it) == 0;
}

/// Whether some byte values are so frequent that an entropy coder would profit. Counts the pairs of
/// equal bytes: in noise they are one in 256, in hex digits one in 16.
bool is_uneven(std::span<const std::byte> sample) noexcept {
  std::array<std::uint32_t, 256> counts{};
  for (const std::byte byte : sample) ++counts[std::to_integer<std::size_t>(byte)];
  std::uint64_t pairs = 0;
  for (const std::uint64_t count : counts) pairs += count * (count - 1);
  const std::uint64_t in_noise = sample.size() * (sample.size() - 1) / 256;
  return pairs > in_noise + in_noise / 2;
}

/// The rule of BlobEncoder: whether zstd need not be tried.
bool seems_noise(std::span<const std::byte> raw) noexcept {
  if (raw.size() < sampled_bytes_min) return false;
  std::array<std::byte, sample_count * sample_bytes> samples;
  for (std::size_t i = 0; i < sample_count; ++i) {
    const auto sample =
        raw.subspan(i * (raw.size() - sample_bytes) / (sample_count - 1), sample_bytes);
    if (is_uneven(sample)) return false;
    std::memcpy(samples.data() + i * sample_bytes, sample.data(), sample_bytes);
  }
  std::array<std::byte, samples.size()> shrunk;
  constexpr auto worth_it = static_cast<int>(samples.size() - samples.size() / 64);
  return LZ4_compress_default(chars(std::span<const std::byte>(samples)),
                              chars(std::span<std::byte>(shrunk)), static_cast<int>(samples.size()),
                              worth_it) == 0;
}

/// One frame, of zstd's present format and of the announced size: then decoding takes no memory.
bool is_plain_frame(std::span<const std::byte> stored, std::size_t raw_bytes) noexcept {
  std::uint32_t magic = 0;
  if (stored.size() < sizeof magic) return false;
  std::memcpy(&magic, stored.data(), sizeof magic);
  return magic == ZSTD_MAGICNUMBER &&
         ZSTD_getFrameContentSize(stored.data(), stored.size()) == raw_bytes &&
         ZSTD_findFrameCompressedSize(stored.data(), stored.size()) == stored.size();
}

std::unexpected<Error> refuse(Errc code, std::string_view where, std::string_view what) {
  return std::unexpected(Error{.code = code, .detail = fmt::format("{}: {}", where, what)});
}

struct FreeDecoder {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};
struct FreeEncoder {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

}  // namespace

struct BlobDecoder::State {
  std::unique_ptr<ZSTD_DCtx, FreeDecoder> zstd;  // made when first used
  ChunkBuffer compressed;                        // what was encrypted, where that is no raw bytes
};

BlobDecoder::BlobDecoder() : state_(std::make_unique<State>()) {}
BlobDecoder::BlobDecoder(BlobDecoder&&) noexcept = default;
BlobDecoder& BlobDecoder::operator=(BlobDecoder&&) noexcept = default;
BlobDecoder::~BlobDecoder() = default;

bool BlobDecoder::decodes_to(Codec codec, std::span<const std::byte> stored,
                             std::span<std::byte> raw) {
  switch (codec) {
    case Codec::none:
      if (stored.size() != raw.size()) return false;
      std::ranges::copy(stored, raw.begin());
      return true;
    case Codec::lz4_block: {
      const int size = LZ4_decompress_safe(
          chars(stored), chars(raw), static_cast<int>(stored.size()), static_cast<int>(raw.size()));
      return size >= 0 && static_cast<std::size_t>(size) == raw.size();
    }
    case Codec::zstd_frame: {
      if (!is_plain_frame(stored, raw.size())) return false;
      if (!state_->zstd) state_->zstd.reset(ZSTD_createDCtx());
      if (!state_->zstd) throw std::bad_alloc();
      return ZSTD_decompressDCtx(state_->zstd.get(), raw.data(), raw.size(), stored.data(),
                                 stored.size()) == raw.size();
    }
  }
  return false;
}

Result<std::span<const std::byte>> BlobDecoder::decode(const BlobHeader& header,
                                                       std::span<const std::byte> stored,
                                                       std::span<std::byte> scratch,
                                                       std::string_view where, BlobSite site) {
  if (const auto found = xxh3_64(stored); found != header.checksum) {
    return refuse(
        Errc::checksum_mismatch, where,
        fmt::format("stored bytes, expected {:016x}, found {:016x}", header.checksum, found));
  }
  return decode_checked(header, stored, scratch, where, site);
}

Result<std::span<const std::byte>> BlobDecoder::decrypt(const BlobHeader& header,
                                                        std::span<const std::byte> stored,
                                                        std::span<std::byte> scratch,
                                                        std::string_view where, BlobSite site) {
  const bool encrypted = (header.flags & format::blob_flag_encrypted) != 0;
  if (encrypted && site.key == nullptr)
    return refuse(Errc::unsupported_feature, where, "encrypted, in a repository that is not");
  if (!encrypted && site.key != nullptr)
    return refuse(Errc::not_authentic, where, "not encrypted, in an encrypted repository");
  if (!encrypted) return stored;
  const bool as_is = header.codec == static_cast<std::uint8_t>(Codec::none);
  const auto into = as_is ? scratch.first(header.raw_bytes) : state_->compressed.bytes();
  if (stored.size() < format::tag_bytes || stored.size() - format::tag_bytes > into.size() ||
      (as_is && stored.size() - format::tag_bytes != into.size()))
    return refuse(Errc::corrupt, where, fmt::format("{} stored bytes", stored.size()));
  const auto plain = into.first(stored.size() - format::tag_bytes);
  if (site.key->open(header, site.offset, stored, plain)) return plain;
  return std::unexpected(Error{.code = Errc::not_authentic, .detail = std::string(where)});
}

Result<std::span<const std::byte>> BlobDecoder::decode_checked(const BlobHeader& header,
                                                               std::span<const std::byte> stored,
                                                               std::span<std::byte> scratch,
                                                               std::string_view where,
                                                               BlobSite site) {
  const auto plain = decrypt(header, stored, scratch, where, site);
  if (!plain) return plain;
  const auto codec = static_cast<Codec>(header.codec);
  if (codec == Codec::none) {
    if (plain->size() == header.raw_bytes) return plain;
    return refuse(
        Errc::corrupt, where,
        fmt::format("{} stored bytes are not the {} raw bytes", plain->size(), header.raw_bytes));
  }
  const auto raw = scratch.first(header.raw_bytes);
  if (decodes_to(codec, *plain, raw)) return raw;
  return refuse(
      Errc::corrupt, where,
      fmt::format("{} does not decode to {} bytes",
                  codec == Codec::lz4_block ? "LZ4 block" : "zstd frame", header.raw_bytes));
}

struct BlobEncoder::State {
  State(const RepositoryKeys& keys, Decoder proving_decoder)
      : identifier(keys), decodes_to(proving_decoder) {}

  std::size_t compress(std::span<const std::byte> raw, Compression compression, Codec& codec);
  Result<std::span<const std::byte>> seal(BlobHeader& header, std::span<const std::byte> raw,
                                          Compression compression);

  Identifier identifier;
  Decoder decodes_to;
  BlobDecoder decoder;
  std::unique_ptr<ZSTD_CCtx, FreeEncoder> zstd;  // made when first used
  ChunkBuffer stored;
  ChunkBuffer proof;
  std::vector<std::byte> delta;  // its text
  ChunkBuffer result;            // what the text makes
};

/// Bytes in `stored`, or 0 when `raw` is better kept as it is.
std::size_t BlobEncoder::State::compress(std::span<const std::byte> raw, Compression compression,
                                         Codec& codec) {
  if (raw.empty()) return 0;
  const std::size_t worth_it = stored_bytes_worth_it(raw.size());
  const auto into = stored.bytes();
  switch (compression.codec) {
    case CompressionCodec::none: return 0;
    case CompressionCodec::lz4: {
      if (seems_dense(raw)) return 0;
      codec = Codec::lz4_block;
      const int size = LZ4_compress_default(chars(raw), chars(into), static_cast<int>(raw.size()),
                                            static_cast<int>(worth_it));
      return static_cast<std::size_t>(std::max(size, 0));
    }
    case CompressionCodec::zstd: {
      if (seems_noise(raw)) return 0;
      codec = Codec::zstd_frame;
      if (!zstd) zstd.reset(ZSTD_createCCtx());
      if (!zstd) throw std::bad_alloc();
      const std::size_t size = ZSTD_compressCCtx(zstd.get(), into.data(), worth_it, raw.data(),
                                                 raw.size(), compression.level);
      if (ZSTD_isError(size) == 0U) return size;
      if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) throw std::bad_alloc();
      return 0;  // does not fit into what would be worth it
    }
  }
  return 0;
}

/// Compresses, proves, and completes the header.
Result<std::span<const std::byte>> BlobEncoder::State::seal(BlobHeader& header,
                                                            std::span<const std::byte> raw,
                                                            Compression compression) {
  auto codec = Codec::none;
  std::span<const std::byte> kept = raw;
  const std::size_t size = compress(raw, compression, codec);
  if (size > 0) {
    kept = stored.bytes().first(size);
    header.codec = static_cast<std::uint8_t>(codec);
    const auto proven = proof.bytes().first(raw.size());
    if (!decodes_to(decoder, codec, kept, proven) ||
        std::memcmp(proven.data(), raw.data(), raw.size()) != 0)
      return refuse(Errc::codec_failure, "encoding", codec == Codec::lz4_block ? "LZ4" : "zstd");
  }
  header.stored_bytes = static_cast<std::uint32_t>(kept.size());
  header.raw_bytes = static_cast<std::uint32_t>(raw.size());
  header.checksum = xxh3_64(kept);
  return kept;
}

BlobEncoder::BlobEncoder(const RepositoryKeys& keys)
    : BlobEncoder(
          keys, [](BlobDecoder& decoder, Codec codec, std::span<const std::byte> stored,
                   std::span<std::byte> raw) { return decoder.decodes_to(codec, stored, raw); }) {}
BlobEncoder::BlobEncoder(const RepositoryKeys& keys, Decoder decoder)
    : state_(std::make_unique<State>(keys, decoder)) {}
BlobEncoder::~BlobEncoder() = default;

namespace {

Result<void> check_input(std::size_t raw_bytes, Compression compression) {
  if (raw_bytes > format::chunk_raw_bytes_max) {
    return refuse(Errc::limit_exceeded, "chunk",
                  fmt::format("{} raw bytes, at most {}", raw_bytes, format::chunk_raw_bytes_max));
  }
  if (compression.codec == CompressionCodec::zstd &&
      (compression.level < 1 || compression.level > Compression::level_max)) {
    return refuse(Errc::limit_exceeded, "zstd",
                  fmt::format("level {}, 1 to {}", compression.level, Compression::level_max));
  }
  return {};
}

}  // namespace

Result<EncodedBlob> BlobEncoder::encode(BlobType type, std::span<const std::byte> raw,
                                        Compression compression,
                                        const std::optional<format::Identity>& identity) {
  if (auto ok = check_input(raw.size(), compression); !ok)
    return std::unexpected(std::move(ok.error()));
  EncodedBlob blob;
  blob.header.type = static_cast<std::uint8_t>(type);
  blob.header.identity = identity ? *identity : identify(type, raw);
  const auto stored = state_->seal(blob.header, raw, compression);
  if (!stored) return std::unexpected(stored.error());
  blob.stored = *stored;
  return blob;
}

Result<EncodedBlob> BlobEncoder::encode_delta(BlobType type, const DeltaBase& base,
                                              std::span<const std::byte> result,
                                              const DeltaOps& ops, Compression compression,
                                              const std::optional<format::Identity>& identity) {
  for (const std::size_t size : {result.size(), base.raw.size(), ops.literals().size()}) {
    if (auto ok = check_input(size, compression); !ok)
      return std::unexpected(std::move(ok.error()));
  }
  write_delta(base.identity, static_cast<std::uint32_t>(base.raw.size()), ops, result,
              state_->delta);
  if (auto ok = check_input(state_->delta.size(), compression); !ok)
    return std::unexpected(std::move(ok.error()));
  EncodedBlob blob;
  blob.header.type = static_cast<std::uint8_t>(type);
  blob.header.flags = format::blob_flag_delta;
  blob.header.identity = identity ? *identity : identify(type, result);
  const auto stored = state_->seal(blob.header, state_->delta, compression);
  if (!stored) return std::unexpected(stored.error());
  blob.stored = *stored;
  // The proof of the text was its decoding; this is that of what it means.
  const bool as_is = blob.header.codec == static_cast<std::uint8_t>(Codec::none);
  const std::span<const std::byte> text = as_is
                                              ? std::span<const std::byte>(state_->delta)
                                              : state_->proof.bytes().first(blob.header.raw_bytes);
  const auto made = apply_delta(text, base.raw, state_->result.bytes(), "encoding");
  const bool is_same =
      made && made->size() == result.size() &&
      (result.empty() || std::memcmp(made->data(), result.data(), result.size()) == 0);
  if (!is_same)
    return refuse(Errc::codec_failure, "encoding", made ? "delta" : made.error().detail);
  return blob;
}

format::Identity BlobEncoder::identify(BlobType type, std::span<const std::byte> raw) {
  return state_->identifier.identify(type, raw);
}

std::uint32_t checksum_of(const BlobHeader& header) noexcept {
  BlobHeader copy = header;
  copy.header_checksum = 0;
  return static_cast<std::uint32_t>(xxh3_64(std::as_bytes(std::span(&copy, 1))));
}

std::optional<std::string_view> unknown_of_blob(std::uint8_t type, std::uint8_t codec,
                                                std::uint8_t flags) noexcept {
  if (type == 0 || type > format::blob_type_max) return "blob of an unknown type";
  if (codec > format::codec_max) return "blob of an unknown codec";
  if ((flags & ~(format::blob_flag_delta | format::blob_flag_encrypted)) != 0)
    return "blob of unknown flags";
  return std::nullopt;
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
  if (const auto unknown = unknown_of_blob(header.type, header.codec, header.flags)) {
    return refuse(Errc::unsupported_feature, where,
                  fmt::format("{} (type {}, codec {}, flags {:#x})", *unknown, header.type,
                              header.codec, header.flags));
  }
  if (header.raw_bytes > format::chunk_raw_bytes_max ||
      header.stored_bytes > format::stored_bytes_max(header.flags)) {
    return refuse(
        Errc::limit_exceeded, where,
        fmt::format("blob of {} stored and {} raw bytes", header.stored_bytes, header.raw_bytes));
  }
  return {};
}

}  // namespace sluice::storage
