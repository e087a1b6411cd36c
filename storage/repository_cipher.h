#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "storage/backup_id.h"
#include "storage/error.h"
#include "storage/format.h"
#include "storage/identity.h"
#include "storage/secret.h"

namespace sluice::storage {

/// What an encrypted repository's keys come from: its secret, unwrapped, and its id. Every key is
/// HKDF-SHA-256 of the secret, salted with the id, under a label of its own.
///
/// Threads: any number at once.
class RepositoryCipher {
 public:
  using Id = std::array<std::byte, 16>;

  /// Errors: as hkdf_sha256().
  [[nodiscard]] static Result<RepositoryCipher> make(const RepositorySecret& secret, const Id& id);

  [[nodiscard]] const Id& repository_id() const noexcept { return id_; }
  /// For who wraps it anew.
  [[nodiscard]] const RepositorySecret& secret() const noexcept { return secret_; }
  /// "pack-enc", the salt, the pack id: of all blobs of one pack.
  [[nodiscard]] Result<SecretKey> pack_key(const PackId& pack, const format::PackSalt& salt) const;
  /// "manifest-enc", the salt, the backup id: of one manifest and its copy.
  [[nodiscard]] Result<SecretKey> manifest_key(const BackupId& backup,
                                               const format::ManifestSalt& salt) const;
  /// "text-enc", the salt, the name of the object: of one writing of a small text.
  [[nodiscard]] Result<SecretKey> text_key(std::string_view object,
                                           const format::PackSalt& salt) const;
  /// "head": of the MAC of every HEAD.
  [[nodiscard]] const SecretKey& head_key() const noexcept { return head_key_; }

 private:
  RepositoryCipher(const RepositorySecret& secret, const Id& id) : secret_(secret), id_(id) {}
  [[nodiscard]] Result<SecretKey> derive(std::string_view label, std::span<const std::byte> salt,
                                         std::span<const std::byte> what) const;

  RepositorySecret secret_;
  Id id_;
  SecretKey head_key_;
};

/// "key-check": says whether a secret is that of a repository, and nothing else of it.
using KeyCheck = std::array<std::byte, 16>;
[[nodiscard]] Result<KeyCheck> key_check(const RepositorySecret& secret,
                                         const RepositoryCipher::Id& id);

/// Encrypts a small text, which then is printable, for the object `object` (its path below the
/// repository): there alone it is opened again. Sealed like any small text (sealed_text.h).
/// Errors: those of what is random, or derives keys.
[[nodiscard]] Result<std::string> encrypt_text(const RepositoryCipher& cipher,
                                               std::string_view object, std::string_view text);
/// The reverse, of what unseal() gives. Errors: not_authentic, which names the object; corrupt.
[[nodiscard]] Result<std::string> decrypt_text(const RepositoryCipher& cipher,
                                               std::string_view object, std::string_view encrypted);

}  // namespace sluice::storage
