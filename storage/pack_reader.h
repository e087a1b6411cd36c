#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"
#include "storage/read_ahead.h"

namespace sluice::storage {

/// Opens the pack; what went wrong is in ReadFile::error. Its bytes are not looked at.
[[nodiscard]] std::shared_ptr<const ReadFile> open_pack(const Layout& layout, const PackRef& pack);

/// "<object>: chunk <ordinal> at byte <offset>", which opens the detail of a chunk's error.
[[nodiscard]] std::string place_of(std::string_view object, std::uint32_t ordinal,
                                   const ChunkRef& chunk);

/// Bytes that the chunk takes in its pack, header included.
[[nodiscard]] inline std::size_t blob_bytes(const ChunkRef& chunk) noexcept {
  return sizeof(format::BlobHeader) + chunk.stored_bytes;
}

/// Checks `blob` (header and stored bytes) against what the manifest says and gives the raw bytes,
/// which lie in `blob` or in `scratch` (at least chunk.raw_bytes).
[[nodiscard]] Result<std::span<const std::byte>> open_blob(std::span<const std::byte> blob,
                                                           const ChunkRef& chunk,
                                                           std::uint32_t ordinal,
                                                           std::span<std::byte> scratch,
                                                           std::string_view object);

}  // namespace sluice::storage
