#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/file.h"
#include "storage/format.h"
#include "storage/repository_cipher.h"
#include "storage/repository_stamp.h"
#include "storage/secret.h"

namespace sluice::storage {

/// The key of one pack of an encrypted repository, and what is authenticated with each of its
/// blobs: repository, pack, salt, offset and the blob's header. A blob is opened where it was put
/// and nowhere else.
class PackKey {
 public:
  [[nodiscard]] static Result<PackKey> make(const RepositoryCipher& cipher, const PackId& pack,
                                            const format::PackSalt& salt);
  [[nodiscard]] const format::PackSalt& salt() const noexcept { return salt_; }
  /// What says which key it is, and nothing else of it: a pack's footer has it.
  [[nodiscard]] format::PackCommitment commitment() const;

  /// Encrypts a blob that is to lie at `offset` into `stored`, of header.stored_bytes, tag
  /// included. The header is complete but for its checksums.
  /// Precondition: nothing else was ever encrypted for that offset under this key.
  void seal(const format::BlobHeader& header, std::uint64_t offset,
            std::span<const std::byte> plain, std::span<std::byte> stored) const;
  /// The reverse. False when anything is another than it was.
  [[nodiscard]] bool open(const format::BlobHeader& header, std::uint64_t offset,
                          std::span<const std::byte> stored, std::span<std::byte> plain) const;

 private:
  static constexpr std::size_t place_bytes = 48;  // repository id, pack id, salt
  static constexpr std::size_t aad_bytes = place_bytes + 8 + sizeof(format::BlobHeader);
  using Aad = std::array<std::byte, aad_bytes>;

  PackKey() = default;
  [[nodiscard]] Aad aad_of(const format::BlobHeader& header, std::uint64_t offset) const noexcept;

  SecretKey key_;
  format::PackSalt salt_{};
  std::array<std::byte, place_bytes> place_{};
};

/// Reads the salt of a pack from its header or, where that is bad, from its footer, and makes the
/// key of it. `object` opens the detail.
/// Errors: not_authentic when neither is of this pack in this repository; the system's.
/// Precondition: stamp.cipher.
[[nodiscard]] Result<PackKey> read_pack_key(const Fd& file, std::string_view object,
                                            const PackRef& pack, const RepositoryStamp& stamp);

}  // namespace sluice::storage
