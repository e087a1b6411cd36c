#pragma once

#include <expected>
#include <string>
#include <system_error>
#include <type_traits>

namespace sluice::net {

/// Why an operation failed. Each value names one cause and has a test.
enum class Errc {
  placeholder = 1,
};

[[nodiscard]] std::error_code make_error_code(Errc code) noexcept;

/// A refusal, its cause and the words that make it actionable.
struct Error {
  std::error_code code;  ///< net::Errc, or the system's own code.
  std::string detail;    ///< What it happened to, or what the peer said; never a secret.
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace sluice::net

template <>
struct std::is_error_code_enum<sluice::net::Errc> : std::true_type {};
