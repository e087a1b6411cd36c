#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "storage/error.h"
#include "storage/format.h"

namespace sluice::storage {

/// A chunk as it will lie in a pack. `stored` is valid until the encoder's next call, or, when the
/// codec is none, as long as the raw bytes are.
struct EncodedChunk {
  format::BlobHeader header;
  std::span<const std::byte> stored;
};

/// Compresses chunks and proves each result by decoding it.
/// Memory: twice format::chunk_raw_bytes_max. Threads: one at a time.
class ChunkEncoder {
 public:
  /// Whether `stored` decodes to exactly the size of `raw`, which it fills.
  using Decoder = bool (*)(std::span<const std::byte> stored, std::span<std::byte> raw);

  ChunkEncoder();
  /// With another decoder for the proof: tests show with it that a wrong one is caught.
  explicit ChunkEncoder(Decoder decoder);

  /// LZ4, unless that saves less than a thirty-second: then the bytes as they are.
  /// Errors: limit_exceeded; codec_failure when the proof fails (the memory or the library is bad).
  [[nodiscard]] Result<EncodedChunk> encode(std::span<const std::byte> raw, std::uint32_t ordinal);

 private:
  Decoder decoder_;
  std::vector<std::byte> stored_;
  std::vector<std::byte> proof_;
};

/// Low half of XXH3-64 over the header with the field itself zero.
[[nodiscard]] std::uint32_t checksum_of(const format::BlobHeader& header) noexcept;

/// Errc::corrupt, checksum_mismatch, unsupported_format or unsupported_feature, unless the header
/// is whole, of a kind known here and within limits. `where` opens the detail.
[[nodiscard]] Result<void> check_blob_header(const format::BlobHeader& header,
                                             std::string_view where);

/// Turns the stored bytes of a checked header into raw bytes. `scratch` holds at least
/// header.raw_bytes. What is returned lies in `scratch` or in `stored`.
/// Errors: checksum_mismatch; corrupt when they do not decode to exactly raw_bytes.
[[nodiscard]] Result<std::span<const std::byte>> decode_blob(const format::BlobHeader& header,
                                                             std::span<const std::byte> stored,
                                                             std::span<std::byte> scratch,
                                                             std::string_view where);

}  // namespace sluice::storage
