#include "storage/pack_reader.h"

#include <fmt/format.h>

#include <cstring>

#include "storage/chunk_codec.h"

namespace sluice::storage {

std::shared_ptr<const ReadFile> open_pack(const Layout& layout, const PackRef& pack) {
  const auto fail = [](std::string object, Error error) {
    return std::make_shared<const ReadFile>(
        ReadFile{.fd = {}, .object = std::move(object), .error = std::move(error)});
  };
  const auto id = parse_pack_id(pack.id);
  if (!id) return fail(pack.id, {.code = Errc::bad_name, .detail = "pack " + pack.id});
  std::string object = layout.root().path_of(Layout::pack_name(*id));
  auto file = open_for_reading(layout.root(), Layout::pack_name(*id));
  if (!file) return fail(std::move(object), std::move(file.error()));
  return std::make_shared<const ReadFile>(
      ReadFile{.fd = *std::move(file), .object = std::move(object), .error = {}});
}

std::string place_of(std::string_view object, std::uint32_t ordinal, const ChunkRef& chunk) {
  return fmt::format("{}: chunk {} at byte {}", object, ordinal, chunk.offset);
}

Result<std::span<const std::byte>> open_blob(std::span<const std::byte> blob, const ChunkRef& chunk,
                                             std::uint32_t ordinal, std::span<std::byte> scratch,
                                             std::string_view object) {
  const std::string where = place_of(object, ordinal, chunk);
  format::BlobHeader header;
  std::memcpy(&header, blob.data(), sizeof header);
  if (auto ok = check_blob_header(header, where); !ok)
    return std::unexpected(std::move(ok.error()));
  if (header.ordinal != ordinal || header.stored_bytes != chunk.stored_bytes ||
      header.raw_bytes != chunk.raw_bytes || header.checksum != chunk.checksum) {
    return std::unexpected(Error{
        .code = Errc::corrupt,
        .detail = fmt::format("{}: the blob here is chunk {}, {} bytes stored, {} raw, not what "
                              "the manifest says",
                              where, header.ordinal, header.stored_bytes, header.raw_bytes)});
  }
  return decode_blob(header, blob.subspan(sizeof header), scratch, where);
}

}  // namespace sluice::storage
