#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "storage/error.h"
#include "storage/format.h"
#include "storage/secret.h"

namespace sluice::storage {

/// The random bytes of FORMAT, or of what its key slots wrap, from which every key of a repository
/// comes. Whoever knows them can make chunks whose identities are right; whoever does not can
/// neither make nor guess any.
using RepositorySecret = SecretKey;

/// The sub-keys of a repository: HKDF-SHA-256 of the secret, salted with the repository's id.
struct RepositoryKeys {
  SecretKey chunk_id;               ///< "chunk-id": of Identifier.
  std::array<std::byte, 16> cut{};  ///< "cut": for whoever cuts chunks by a keyed hash.
};

/// HKDF with SHA-256 (RFC 5869), both steps. Errors: the library's, as EIO.
[[nodiscard]] Result<void> hkdf_sha256(std::span<const std::byte> secret,
                                       std::span<const std::byte> salt, std::string_view info,
                                       std::span<std::byte> into);

[[nodiscard]] Result<RepositoryKeys> derive_keys(const RepositorySecret& secret,
                                                 std::span<const std::byte> repository_id);

/// First half of an identity: what manifests and deltas know a chunk by.
using IdentityHalf = std::array<std::byte, 16>;
[[nodiscard]] IdentityHalf first_half(const format::Identity& identity) noexcept;

/// Computes identities: HMAC-SHA-256, under the key "chunk-id", of the type's byte and the raw
/// bytes. Same bytes, same identity, in this repository and in no other.
///
/// Cost:    the hashing (two short blocks a call beside that of the bytes).
/// Threads: one at a time: each thread has its own.
class Identifier {
 public:
  explicit Identifier(const RepositoryKeys& keys) : Identifier(keys.chunk_id) {}
  /// HMAC-SHA-256 under `key`.
  explicit Identifier(std::span<const std::byte> key);
  Identifier(const Identifier&) = delete;
  Identifier& operator=(const Identifier&) = delete;
  ~Identifier();

  [[nodiscard]] format::Identity identify(format::BlobType type, std::span<const std::byte> raw);

  /// In pieces: begin(), update() any number of times, finish().
  void begin();
  void update(std::span<const std::byte> bytes);
  [[nodiscard]] format::Identity finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::storage
