#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "storage/format.h"
#include "storage/secret.h"

namespace sluice::storage {

/// AES-256-GCM and SHA-256, as the format uses them.
///
/// Errors:  none but of the authenticity: what OpenSSL can refuse otherwise is memory
///          (std::bad_alloc).
/// Threads: any; each has a context of its own.
using GcmNonce = std::array<std::byte, 12>;

/// Four zero bytes, then the counter. The same twice under one key gives both plaintexts away.
[[nodiscard]] GcmNonce counter_nonce(std::uint64_t counter) noexcept;

/// Encrypts `plain` into `sealed`, of format::tag_bytes more: ciphertext, then tag. `aad` is
/// authenticated with it. The two may not overlap.
void gcm_seal(const SecretKey& key, const GcmNonce& nonce, std::span<const std::byte> aad,
              std::span<const std::byte> plain, std::span<std::byte> sealed);

/// The reverse. False when key, nonce, aad or any byte is another than it was; what is in `plain`
/// then means nothing. Precondition: `sealed` has format::tag_bytes more than `plain`.
[[nodiscard]] bool gcm_open(const SecretKey& key, const GcmNonce& nonce,
                            std::span<const std::byte> aad, std::span<const std::byte> sealed,
                            std::span<std::byte> plain);

/// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  using Digest = std::array<std::byte, 32>;

  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  /// Of all so far. Nothing may follow.
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::storage
