#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::service {

/// Now, Unix milliseconds.
[[nodiscard]] std::int64_t now_ms();

[[nodiscard]] std::string to_hex(std::string_view bytes);
/// 64 hex digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);
/// So many random bytes of the system, in hex. Throws when the system gives none.
[[nodiscard]] std::string random_hex(std::size_t bytes);
/// Whether they are equal; takes as long wherever they differ.
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace sluice::service
