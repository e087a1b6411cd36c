#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "storage/format.h"

namespace sluice::storage {

class RepositoryCipher;

/// What every pack and manifest of a repository says of it, and how it is encrypted.
/// Lifetime: the cipher is the Layout's.
struct RepositoryStamp {
  std::array<std::byte, 8> id{};  ///< First half of the repository id.
  std::uint16_t minor = format::version_minor;
  bool encrypted = false;
  const RepositoryCipher* cipher = nullptr;  ///< Null: not encrypted, or opened without a key.
};

}  // namespace sluice::storage
