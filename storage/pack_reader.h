#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "storage/backup.h"
#include "storage/chunk_codec.h"
#include "storage/error.h"
#include "storage/layout.h"
#include "storage/pack_key.h"
#include "storage/read_ahead.h"

namespace sluice::storage {

/// Opens the pack; what went wrong is in ReadFile::error. Its bytes are not looked at.
[[nodiscard]] std::shared_ptr<const ReadFile> open_pack(const Layout& layout, const PackRef& pack);

/// Packs of a backup, kept open: the 16 that were used last.
/// Threads: one at a time. Lifetime: `layout` and `backup` must outlive it.
class OpenPacks {
 public:
  OpenPacks(const Layout& layout, const Backup& backup) : layout_(layout), backup_(backup) {}

  /// As open_pack(). Whoever holds the result keeps it open.
  [[nodiscard]] std::shared_ptr<const ReadFile> get(std::uint32_t pack);
  /// What opens the blobs of a pack, read from it once; null where nothing is encrypted. Valid as
  /// long as this. Errors: as read_pack_key(); key_needed.
  [[nodiscard]] Result<const PackKey*> key(std::uint32_t pack);

 private:
  static constexpr std::size_t open_max = 16;

  const Layout& layout_;
  const Backup& backup_;
  std::list<std::pair<std::uint32_t, std::shared_ptr<const ReadFile>>> files_;  // newest first
  std::map<std::uint32_t, PackKey> keys_;
};

/// "<object>: chunk <ordinal> at byte <offset>", which opens the detail of a chunk's error; where
/// it has several, also which of its blobs it is.
[[nodiscard]] std::string place_of(std::string_view object, std::uint32_t ordinal,
                                   const ChunkRef& chunk, std::size_t link, const BlobRef& blob);

/// Bytes that a blob takes in its pack, header included.
[[nodiscard]] inline std::size_t blob_bytes(std::uint32_t stored_bytes) noexcept {
  return sizeof(format::BlobHeader) + stored_bytes;
}
[[nodiscard]] inline std::size_t blob_bytes(const BlobRef& blob) noexcept {
  return blob_bytes(blob.stored_bytes);
}

struct OpenedBlob {
  format::BlobHeader header;
  std::span<const std::byte> raw;
};

/// Checks `blob` (header and stored bytes) against what the manifest says and gives the raw bytes,
/// which lie in `blob` or in `scratch` (at least ref.raw_bytes). `where` opens the detail. `key` is
/// that of its pack, null where nothing is encrypted.
[[nodiscard]] Result<OpenedBlob> open_blob(std::span<const std::byte> blob, const BlobRef& ref,
                                           BlobDecoder& decoder, std::span<std::byte> scratch,
                                           std::string_view where, const PackKey* key = nullptr);

}  // namespace sluice::storage
