#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/backup.h"
#include "storage/backup_id.h"
#include "storage/block_file.h"
#include "storage/checksum.h"
#include "storage/chunk_codec.h"
#include "storage/error.h"
#include "storage/pack_key.h"
#include "storage/repository_stamp.h"

namespace sluice::storage {

/// Writes one pack: header, blobs, footer, trailer. In an encrypted repository each pack has a key
/// of its own, and each blob is encrypted on its way.
/// Memory: 64 bytes a blob for the footer; 4 MiB to encrypt. Errors, durability, threads: as
/// BlockFile.
class PackWriter {
 public:
  [[nodiscard]] static Result<std::unique_ptr<PackWriter>> create(IoQueue& queue, Directory shard,
                                                                  const PackId& id,
                                                                  const RepositoryStamp& stamp);
  /// The same with a salt that is given: for tests of the bytes.
  [[nodiscard]] static Result<std::unique_ptr<PackWriter>> create(IoQueue& queue, Directory shard,
                                                                  const PackId& id,
                                                                  const RepositoryStamp& stamp,
                                                                  const format::PackSalt& salt);
  PackWriter(std::unique_ptr<BlockFile> file, const PackId& id,
             std::optional<PackKey> key) noexcept;

  /// Puts a blob at the end, encrypted where that is due, and completes its header. Says where it
  /// lies.
  [[nodiscard]] Result<BlobPlace> append(format::BlobHeader header,
                                         std::span<const std::byte> stored);
  /// Whether a blob of `stored_bytes` still belongs in this pack. An empty pack takes any.
  [[nodiscard]] bool has_room_for(std::size_t stored_bytes) const noexcept;

  /// Appends footer and trailer and lets the file finish while the queue is dispatched.
  [[nodiscard]] Result<void> begin_finish();
  [[nodiscard]] Result<void> finish() { return file_->finish(); }
  /// Whether a sync failed and what was written was written again.
  [[nodiscard]] bool rewritten() const noexcept { return file_->rewritten(); }
  void abandon() noexcept { file_->abandon(); }

  /// Of the finished pack. Precondition: begin_finish() succeeded.
  [[nodiscard]] const PackRef& ref() const noexcept { return ref_; }
  [[nodiscard]] const PackId& id() const noexcept { return id_; }

 private:
  Result<void> put(std::span<const std::byte> bytes);
  std::span<const std::byte> encrypt(format::BlobHeader& header, std::span<const std::byte> plain);

  std::unique_ptr<BlockFile> file_;
  PackId id_;
  std::optional<PackKey> key_;
  std::vector<std::byte> sealed_;
  DigestStream digest_;
  std::vector<format::FooterEntry> entries_;
  PackRef ref_;
};

[[nodiscard]] format::PackHeader make_pack_header(const PackId& id, const RepositoryStamp& stamp,
                                                  const format::PackSalt& salt = {}) noexcept;
[[nodiscard]] std::uint64_t checksum_of(const format::PackHeader& header) noexcept;
/// XXH3-64 of the footer before its checksum. `seal` is empty where nothing is encrypted.
[[nodiscard]] std::uint64_t checksum_of(const format::FooterHeader& header,
                                        std::span<const format::FooterEntry> entries,
                                        std::span<const std::byte> seal = {});
[[nodiscard]] format::FooterEntry footer_entry(const format::BlobHeader& header,
                                               std::uint64_t offset) noexcept;

}  // namespace sluice::storage
