#include "storage/pack_writer.h"

#include <cstring>

namespace sluice::storage {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

format::PackHeader make_pack_header(const PackId& id,
                                    std::array<std::byte, 8> repository) noexcept {
  format::PackHeader header;
  header.repository = repository;
  header.backup_time_ms = id.backup.time_ms;
  header.backup_random = id.backup.random;
  header.sequence = id.sequence;
  header.checksum = checksum_of(header);
  return header;
}

std::uint64_t checksum_of(const format::PackHeader& header) noexcept {
  return xxh3_64(bytes_of(header).first(offsetof(format::PackHeader, checksum)));
}

std::uint64_t checksum_of(const format::FooterHeader& header,
                          std::span<const format::FooterEntry> entries) {
  std::vector<std::byte> footer(sizeof header + entries.size_bytes());
  std::memcpy(footer.data(), &header, sizeof header);
  if (!entries.empty())
    std::memcpy(footer.data() + sizeof header, entries.data(), entries.size_bytes());
  return xxh3_64(footer);
}

format::FooterEntry footer_entry(const format::BlobHeader& header, std::uint64_t offset) noexcept {
  return {.offset = offset,
          .ordinal = header.ordinal,
          .stored_bytes = header.stored_bytes,
          .raw_bytes = header.raw_bytes,
          .type = header.type,
          .codec = header.codec,
          .flags = header.flags,
          .reserved = 0,
          .checksum = header.checksum,
          .identity = header.identity};
}

Result<std::unique_ptr<PackWriter>> PackWriter::create(IoQueue& queue, Directory shard,
                                                       const PackId& id,
                                                       std::array<std::byte, 8> repository) {
  auto file = BlockFile::create(queue, std::move(shard), to_string(id));
  if (!file) return std::unexpected(std::move(file.error()));
  auto pack = std::make_unique<PackWriter>(*std::move(file), id);
  if (auto ok = pack->put(bytes_of(make_pack_header(id, repository))); !ok) {
    pack->abandon();
    return std::unexpected(std::move(ok.error()));
  }
  return pack;
}

PackWriter::PackWriter(std::unique_ptr<BlockFile> file, const PackId& id) noexcept
    : file_(std::move(file)), id_(id) {}

bool PackWriter::has_room_for(std::size_t stored_bytes) const noexcept {
  const std::uint64_t with_it = file_->size() + sizeof(format::BlobHeader) + stored_bytes;
  return entries_.empty() ||
         (with_it <= format::pack_target_bytes && entries_.size() < format::pack_blobs_max);
}

Result<void> PackWriter::put(std::span<const std::byte> bytes) {
  digest_.update(bytes);
  return file_->append(bytes);
}

Result<std::uint64_t> PackWriter::append(const format::BlobHeader& header,
                                         std::span<const std::byte> stored) {
  const std::uint64_t offset = file_->size();
  if (auto ok = put(bytes_of(header)); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = put(stored); !ok) return std::unexpected(std::move(ok.error()));
  entries_.push_back(footer_entry(header, offset));
  return offset;
}

Result<void> PackWriter::begin_finish() {
  const format::FooterHeader header{.magic = format::footer_magic,
                                    .count = static_cast<std::uint32_t>(entries_.size())};
  const std::uint64_t checksum = checksum_of(header, entries_);
  format::PackTrailer trailer;
  trailer.footer_offset = file_->size();
  trailer.footer_bytes = static_cast<std::uint32_t>(
      sizeof header + std::span(entries_).size_bytes() + format::footer_checksum_bytes);
  for (const std::span<const std::byte> part :
       {bytes_of(header), std::as_bytes(std::span(entries_)), bytes_of(checksum),
        bytes_of(trailer).first(offsetof(format::PackTrailer, digest))}) {
    if (auto ok = put(part); !ok) return ok;
  }
  trailer.digest = digest_.digest();
  if (auto ok = file_->append(trailer.digest); !ok) return ok;
  ref_ = {.id = id_, .file_bytes = file_->size(), .digest = trailer.digest};
  return file_->begin_finish(trailer.digest);
}

}  // namespace sluice::storage
