#include "storage/pack_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "storage/trash.h"

namespace sluice::storage {

std::shared_ptr<const ReadFile> open_pack(const Layout& layout, const PackRef& pack) {
  const std::string name = Layout::pack_name(pack.id);
  std::string object = layout.root().path_of(name);
  auto file = open_for_reading(layout.root(), name);
  // A reader may have begun before its backup, or the pack alone, went to the trash.
  if (!file && file.error().code == Errc::not_found) {
    const auto trash = find_in_trash(layout, pack.id);
    if (trash && *trash) file = open_for_reading(**trash, to_string(pack.id));
  }
  if (!file) {
    return std::make_shared<const ReadFile>(
        ReadFile{.fd = {}, .object = std::move(object), .error = std::move(file.error())});
  }
  return std::make_shared<const ReadFile>(
      ReadFile{.fd = *std::move(file), .object = std::move(object), .error = {}});
}

std::shared_ptr<const ReadFile> OpenPacks::get(std::uint32_t pack) {
  const auto found = std::ranges::find(files_, pack, [](const auto& entry) { return entry.first; });
  if (found != files_.end()) {
    files_.splice(files_.begin(), files_, found);
  } else {
    files_.emplace_front(pack, open_pack(layout_, backup_.packs[pack]));
    if (files_.size() > open_max) files_.pop_back();
  }
  return files_.front().second;
}

Result<const PackKey*> OpenPacks::key(std::uint32_t pack) {
  if (const auto known = keys_.find(pack); known != keys_.end()) return &known->second;
  const auto cipher = layout_.need_cipher();
  if (!cipher) return std::unexpected(cipher.error());
  if (*cipher == nullptr) return nullptr;
  const auto file = get(pack);
  if (file->error) return std::unexpected(*file->error);
  auto key = read_pack_key(file->fd, file->object, backup_.packs[pack], layout_.stamp());
  if (!key) return std::unexpected(std::move(key.error()));
  return &keys_.emplace(pack, *std::move(key)).first->second;
}

std::string place_of(std::string_view object, std::uint32_t ordinal, const ChunkRef& chunk,
                     std::size_t link, const BlobRef& blob) {
  if (chunk.blob_count <= 1)
    return fmt::format("{}: chunk {} at byte {}", object, ordinal, blob.offset);
  return fmt::format("{}: chunk {} at byte {} (blob {} of {})", object, ordinal, blob.offset,
                     link + 1, chunk.blob_count);
}

Result<OpenedBlob> open_blob(std::span<const std::byte> blob, const BlobRef& ref,
                             BlobDecoder& decoder, std::span<std::byte> scratch,
                             std::string_view where, const PackKey* key) {
  format::BlobHeader header;
  std::memcpy(&header, blob.data(), sizeof header);
  if (auto ok = check_blob_header(header, where); !ok)
    return std::unexpected(std::move(ok.error()));
  if (header.type != ref.type || header.codec != ref.codec || header.flags != ref.flags ||
      header.stored_bytes != ref.stored_bytes || header.raw_bytes != ref.raw_bytes ||
      header.checksum != ref.checksum) {
    return std::unexpected(Error{
        .code = Errc::corrupt,
        .detail = fmt::format("{}: the blob here has {} bytes stored, {} raw, and is not what the "
                              "manifest says",
                              where, header.stored_bytes, header.raw_bytes)});
  }
  const auto raw = decoder.decode(header, blob.subspan(sizeof header), scratch, where,
                                  {.key = key, .offset = ref.offset});
  if (!raw) return std::unexpected(raw.error());
  return OpenedBlob{.header = header, .raw = *raw};
}

}  // namespace sluice::storage
