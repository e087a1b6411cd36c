#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/error.h"
#include "storage/identity.h"
#include "storage/repository_cipher.h"

namespace sluice::storage {

/// What a caller is about to do with a repository. A newer program may have written something
/// that only some of these need to know about.
enum class Operation : std::uint8_t { read, write, gc, check };
inline constexpr std::size_t operation_count = 4;
[[nodiscard]] std::string_view to_string(Operation operation) noexcept;

/// The file FORMAT: what makes a directory a repository.
struct RepositoryMark {
  std::string repository_id;  ///< 32 lower-case hex digits, random.
  unsigned major = 0;
  unsigned minor = 0;
  bool encrypted = false;   ///< Cipher aes-256-gcm: the secret is wrapped in key slots, not here.
  RepositorySecret secret;  ///< Zeros when encrypted.
  KeyCheck key_check{};     ///< Of the secret, when encrypted.
  /// By Operation: features that one must know to do it.
  std::array<std::vector<std::string>, operation_count> required;

  [[nodiscard]] RepositoryCipher::Id binary_id() const noexcept;
};

/// The sealed text of a new FORMAT.
[[nodiscard]] std::string serialize(const RepositoryMark& mark);

/// Reads a sealed FORMAT. Fields that are unknown here are ignored.
/// Errors: truncated, checksum_mismatch, corrupt; unsupported_format when the major is another or
/// the minor too old; unsupported_feature for a cipher.
[[nodiscard]] Result<RepositoryMark> parse_mark(std::string_view sealed, std::string_view object);

/// Whether the error says that the bytes are bad, not that they are of another program.
[[nodiscard]] bool is_damage(const Error& error) noexcept;

/// Errc::unsupported_feature, naming it, when `operation` requires one unknown here.
[[nodiscard]] Result<void> check_features(const RepositoryMark& mark, Operation operation,
                                          std::string_view object);

}  // namespace sluice::storage
