#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/error.h"
#include "storage/repository_cipher.h"
#include "storage/secret.h"

namespace sluice::storage {

/// What opens a key slot. Passphrases and what commands say go through scrypt, key files need not.
enum class KeyKind : std::uint8_t { passphrase, key_file, command };
[[nodiscard]] std::string_view to_string(KeyKind kind) noexcept;

/// What somebody gives to open a repository, or to be let in later.
struct KeyMaterial {
  static constexpr std::size_t key_file_bytes_min = 32;
  static constexpr std::size_t bytes_max = std::size_t{1} << 20;

  KeyKind kind = KeyKind::passphrase;
  SecretBytes bytes;
};

/// Asked for only when a repository is encrypted. Its Error comes back from who opens that.
using KeySource = std::function<Result<KeyMaterial>()>;

/// Memory of 128 * n * r bytes, time of n * r * p. The default takes 64 MiB.
struct ScryptCost {
  static constexpr std::uint64_t memory_bytes_max = std::uint64_t{256} << 20;

  std::uint64_t n = std::uint64_t{1} << 16;  ///< A power of two.
  std::uint32_t r = 8;
  std::uint32_t p = 2;
};

/// A new slot that is to be made.
struct NewKeySlot {
  KeyMaterial material;
  std::string label;  ///< For people: up to 128 printable ASCII characters.
  ScryptCost cost;
};

/// One way in: the repository's secret, wrapped. In the file keys/<id>.
struct KeySlot {
  static constexpr std::size_t label_bytes_max = 128;

  std::string id;  ///< 8 hex digits, random.
  KeyKind kind = KeyKind::passphrase;
  std::string label;
  std::uint64_t created_at_ms = 0;  ///< Unix time.
  ScryptCost cost;                  ///< Zeros for a key file.
  std::array<std::byte, 32> salt{};
  std::array<std::byte, 48> wrapped{};  ///< The secret, encrypted, and its tag.
};

/// Wraps the secret for what `slot` holds.
/// Errors: bad_name for a label; limit_exceeded for material that is too short or too long; those
/// of what is random, or derives keys.
[[nodiscard]] Result<KeySlot> make_key_slot(const RepositorySecret& secret,
                                            const RepositoryCipher::Id& repository,
                                            const NewKeySlot& slot);
/// nullopt when the material is not what the slot was made for. Blocks for the time of scrypt.
/// Errors: limit_exceeded for a cost that is too high; the library's, as EIO.
[[nodiscard]] Result<std::optional<RepositorySecret>> open_key_slot(
    const KeySlot& slot, const RepositoryCipher::Id& repository, const KeyMaterial& material);

/// The sealed text, and the reverse. `object` opens the detail.
/// Errors: truncated, checksum_mismatch, corrupt; unsupported_feature for a kind.
[[nodiscard]] std::string serialize(const KeySlot& slot);
[[nodiscard]] Result<KeySlot> parse_key_slot(std::string_view sealed, std::string_view id,
                                             std::string_view object);
/// Whether it can be the name of a slot's file.
[[nodiscard]] bool is_key_slot_id(std::string_view text) noexcept;

}  // namespace sluice::storage
