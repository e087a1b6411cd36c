#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/error.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Small texts beside the data that may hold names or values of keys: sealed as any small text
/// (sealed_text.h), and encrypted where the repository is. `object` is their path below the
/// repository; an encrypted one is opened nowhere else.

/// Errors: key_needed; those of encrypt_text().
[[nodiscard]] Result<std::string> seal_private(const Layout& layout, std::string_view object,
                                               std::string_view text);
/// Errors: truncated, checksum_mismatch, corrupt, key_needed, not_authentic.
[[nodiscard]] Result<std::string> unseal_private(const Layout& layout, std::string_view object,
                                                 std::string_view sealed);
/// The most that a file of such a text takes.
[[nodiscard]] std::uint64_t private_bytes_max(const Layout& layout) noexcept;

}  // namespace sluice::storage
