#include "storage/pack_writer.h"

#include <algorithm>

namespace sluice::storage {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

format::PackHeader make_pack_header(const PackId& id, const RepositoryStamp& stamp,
                                    const format::PackSalt& salt) noexcept {
  format::PackHeader header;
  header.minor = stamp.minor;
  if (stamp.encrypted) header.flags = format::flag_encrypted;
  header.repository = stamp.id;
  header.backup_time_ms = id.backup.time_ms;
  header.backup_random = id.backup.random;
  header.sequence = id.sequence;
  header.salt = salt;
  header.checksum = checksum_of(header);
  return header;
}

std::uint64_t checksum_of(const format::PackHeader& header) noexcept {
  return xxh3_64(bytes_of(header).first(offsetof(format::PackHeader, checksum)));
}

std::uint64_t checksum_of(const format::FooterHeader& header,
                          std::span<const format::FooterEntry> entries,
                          std::span<const std::byte> seal) {
  std::vector<std::byte> footer;
  footer.reserve(sizeof header + entries.size_bytes() + seal.size());
  for (const std::span<const std::byte> part : {bytes_of(header), std::as_bytes(entries), seal})
    footer.insert(footer.end(), part.begin(), part.end());
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
                                                       const RepositoryStamp& stamp) {
  format::PackSalt salt{};
  if (stamp.encrypted) {
    if (auto ok = fill_random(salt); !ok) return std::unexpected(std::move(ok.error()));
  }
  return create(queue, std::move(shard), id, stamp, salt);
}

Result<std::unique_ptr<PackWriter>> PackWriter::create(IoQueue& queue, Directory shard,
                                                       const PackId& id,
                                                       const RepositoryStamp& stamp,
                                                       const format::PackSalt& salt) {
  std::optional<PackKey> key;
  if (stamp.encrypted) {
    auto made = PackKey::make(*stamp.cipher, id, salt);
    if (!made) return std::unexpected(std::move(made.error()));
    key = *std::move(made);
  }
  auto file = BlockFile::create(queue, std::move(shard), to_string(id));
  if (!file) return std::unexpected(std::move(file.error()));
  auto pack = std::make_unique<PackWriter>(*std::move(file), id, std::move(key));
  if (auto ok = pack->put(bytes_of(make_pack_header(id, stamp, salt))); !ok) {
    pack->abandon();
    return std::unexpected(std::move(ok.error()));
  }
  return pack;
}

PackWriter::PackWriter(std::unique_ptr<BlockFile> file, const PackId& id,
                       std::optional<PackKey> key) noexcept
    : file_(std::move(file)), id_(id), key_(std::move(key)) {}

bool PackWriter::has_room_for(std::size_t stored_bytes) const noexcept {
  const std::uint64_t with_it =
      file_->size() + sizeof(format::BlobHeader) + stored_bytes + (key_ ? format::tag_bytes : 0);
  return entries_.empty() ||
         (with_it <= format::pack_target_bytes && entries_.size() < format::pack_blobs_max);
}

Result<void> PackWriter::put(std::span<const std::byte> bytes) {
  digest_.update(bytes);
  return file_->append(bytes);
}

std::span<const std::byte> PackWriter::encrypt(format::BlobHeader& header,
                                               std::span<const std::byte> plain) {
  header.flags |= format::blob_flag_encrypted;
  header.stored_bytes += format::tag_bytes;
  sealed_.resize(std::max<std::size_t>(sealed_.size(), header.stored_bytes));
  const auto stored = std::span(sealed_).first(header.stored_bytes);
  key_->seal(header, file_->size(), plain, stored);
  header.checksum = xxh3_64(stored);
  return stored;
}

Result<BlobPlace> PackWriter::append(format::BlobHeader header, std::span<const std::byte> stored) {
  if (key_) stored = encrypt(header, stored);
  header.header_checksum = checksum_of(header);
  const std::uint64_t offset = file_->size();
  if (auto ok = put(bytes_of(header)); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = put(stored); !ok) return std::unexpected(std::move(ok.error()));
  entries_.push_back(footer_entry(header, offset));
  return BlobPlace{.pack = id_,
                   .offset = offset,
                   .stored_bytes = header.stored_bytes,
                   .raw_bytes = header.raw_bytes,
                   .type = header.type,
                   .codec = header.codec,
                   .flags = header.flags,
                   .checksum = header.checksum};
}

Result<void> PackWriter::begin_finish() {
  const format::FooterHeader header{.magic = format::footer_magic,
                                    .count = static_cast<std::uint32_t>(entries_.size())};
  format::FooterSeal seal;
  std::span<const std::byte> seal_bytes;
  if (key_) {
    seal = {.salt = key_->salt(), .commitment = key_->commitment()};
    seal_bytes = bytes_of(seal);
  }
  const std::uint64_t checksum = checksum_of(header, entries_, seal_bytes);
  format::PackTrailer trailer;
  trailer.footer_offset = file_->size();
  trailer.footer_bytes =
      static_cast<std::uint32_t>(sizeof header + std::span(entries_).size_bytes() +
                                 seal_bytes.size() + format::footer_checksum_bytes);
  for (const std::span<const std::byte> part :
       {bytes_of(header), std::as_bytes(std::span(entries_)), seal_bytes, bytes_of(checksum),
        bytes_of(trailer).first(offsetof(format::PackTrailer, digest))}) {
    if (auto ok = put(part); !ok) return ok;
  }
  trailer.digest = digest_.digest();
  if (auto ok = file_->append(trailer.digest); !ok) return ok;
  sealed_ = {};
  ref_ = {.id = id_, .file_bytes = file_->size(), .digest = trailer.digest};
  return file_->begin_finish(trailer.digest);
}

}  // namespace sluice::storage
