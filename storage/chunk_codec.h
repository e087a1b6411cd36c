#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "storage/delta.h"
#include "storage/error.h"
#include "storage/format.h"
#include "storage/identity.h"

namespace sluice::storage {

enum class CompressionCodec : std::uint8_t { none, lz4, zstd };

struct Compression {
  static constexpr int level_max = 19;

  CompressionCodec codec = CompressionCodec::lz4;
  int level = 3;  ///< Of zstd: 1 (fast) to level_max (small).
};

/// A blob as it will lie in a pack, but for its ordinal and the checksum of its header, which
/// whoever puts it there fills in. `stored` is valid until the encoder's next call, or, when the
/// codec is none, as long as the raw bytes are.
struct EncodedBlob {
  format::BlobHeader header;
  std::span<const std::byte> stored;
};

/// What a delta is against: what the blobs before it in its chain make.
struct DeltaBase {
  IdentityHalf identity{};
  std::span<const std::byte> raw;
};

class PackKey;

/// What opens an encrypted blob: the key of its pack, and where in that its header begins.
struct BlobSite {
  const PackKey* key = nullptr;  ///< Null where nothing is encrypted.
  std::uint64_t offset = 0;
};

/// Turns the stored bytes of blobs into raw bytes.
///
/// Memory:  100 KiB once the first zstd frame came, 4 MiB once the first encrypted blob that is
///          compressed; none is taken a call.
/// Threads: one at a time.
class BlobDecoder {
 public:
  BlobDecoder();
  BlobDecoder(BlobDecoder&&) noexcept;
  BlobDecoder& operator=(BlobDecoder&&) noexcept;
  ~BlobDecoder();

  /// Turns the stored bytes of a checked header into raw bytes. `scratch` holds at least
  /// header.raw_bytes. What is returned lies in `scratch` or in `stored`.
  /// Errors: checksum_mismatch; not_authentic; corrupt when they do not decode to exactly
  ///         raw_bytes. `where` opens the detail.
  [[nodiscard]] Result<std::span<const std::byte>> decode(const format::BlobHeader& header,
                                                          std::span<const std::byte> stored,
                                                          std::span<std::byte> scratch,
                                                          std::string_view where,
                                                          BlobSite site = {});
  /// The same of stored bytes whose checksum is known to be right.
  [[nodiscard]] Result<std::span<const std::byte>> decode_checked(const format::BlobHeader& header,
                                                                  std::span<const std::byte> stored,
                                                                  std::span<std::byte> scratch,
                                                                  std::string_view where,
                                                                  BlobSite site = {});

  /// Whether `stored` decodes to exactly the size of `raw`, which it fills.
  [[nodiscard]] bool decodes_to(format::Codec codec, std::span<const std::byte> stored,
                                std::span<std::byte> raw);

 private:
  Result<std::span<const std::byte>> decrypt(const format::BlobHeader& header,
                                             std::span<const std::byte> stored,
                                             std::span<std::byte> scratch, std::string_view where,
                                             BlobSite site);

  struct State;
  std::unique_ptr<State> state_;
};

/// Compresses blobs and proves each result by decoding it.
///
/// Rule:    compressed bytes are kept when they save at least a thirty-second; else the bytes are
///          stored as they are. LZ4 is not tried on 64 KiB or more of which eight samples of 2 KiB,
///          spread evenly between both ends, shrink together by less than a twelfth: the whole
///          would by some 5 % (LZ4 finds less in what is longer), which is not worth a tenth of a
///          backup's CPU time. zstd is not tried on 64 KiB or more of which sixteen samples of 2
///          KiB, spread evenly and with both ends, seem to be noise: LZ4 shrinks them together by
///          less than a sixty-fourth, and in none of them the same byte comes twice half again as
///          often as in random bytes. A stretch of other bytes that no sample meets is shorter than
///          a fifteenth of the chunk, so a wrong verdict costs less than that.
/// Memory:  8 MiB; with deltas 16 MiB; with zstd what its levels need for the largest chunk given:
///          1 MiB at level 3, 12 MiB at level 9, up to 65 MiB above it; 5 MiB at most for 256 KiB.
/// Threads: one at a time: each thread has its own.
class BlobEncoder {
 public:
  /// What decodes for the proof; see BlobDecoder::decodes_to().
  using Decoder = bool (*)(BlobDecoder& decoder, format::Codec codec,
                           std::span<const std::byte> stored, std::span<std::byte> raw);

  explicit BlobEncoder(const RepositoryKeys& keys);
  /// With another decoder for the proof: tests show with it that a wrong one is caught.
  BlobEncoder(const RepositoryKeys& keys, Decoder decoder);
  BlobEncoder(const BlobEncoder&) = delete;
  BlobEncoder& operator=(const BlobEncoder&) = delete;
  ~BlobEncoder();

  /// A whole blob: 0 to format::chunk_raw_bytes_max bytes. `identity`, if given, is that of `raw`;
  /// else it is computed.
  /// Errors: limit_exceeded (size, level); codec_failure when the proof fails (the memory or a
  ///         library is bad).
  [[nodiscard]] Result<EncodedBlob> encode(format::BlobType type, std::span<const std::byte> raw,
                                           Compression compression,
                                           const std::optional<format::Identity>& identity = {});

  /// A delta that makes `result` of `base`. Proven by decoding and applying it. `identity`, if
  /// given, is that of `result`.
  /// Errors: as encode(); limit_exceeded also when the delta's text is longer than a chunk may be;
  ///         codec_failure also when `ops` do not make `result`.
  [[nodiscard]] Result<EncodedBlob> encode_delta(
      format::BlobType type, const DeltaBase& base, std::span<const std::byte> result,
      const DeltaOps& ops, Compression compression,
      const std::optional<format::Identity>& identity = {});

  /// What encode() would put into the header.
  [[nodiscard]] format::Identity identify(format::BlobType type, std::span<const std::byte> raw);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Low half of XXH3-64 over the header with the field itself zero.
[[nodiscard]] std::uint32_t checksum_of(const format::BlobHeader& header) noexcept;

/// Errc::corrupt, checksum_mismatch, unsupported_format or unsupported_feature, unless the header
/// is whole, of a kind known here and within limits. `where` opens the detail.
[[nodiscard]] Result<void> check_blob_header(const format::BlobHeader& header,
                                             std::string_view where);

/// Whether this program knows such a blob: type, codec and flags. nullopt, or what it does not
/// know.
[[nodiscard]] std::optional<std::string_view> unknown_of_blob(std::uint8_t type, std::uint8_t codec,
                                                              std::uint8_t flags) noexcept;

}  // namespace sluice::storage
