#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::rdb {

/// A number modulo 2^128.
struct Digest128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  constexpr Digest128& operator+=(const Digest128& other) noexcept {
    low += other.low;
    high += other.high + (low < other.low ? 1 : 0);
    return *this;
  }
  constexpr Digest128& operator-=(const Digest128& other) noexcept {
    high -= other.high + (low < other.low ? 1 : 0);
    low -= other.low;
    return *this;
  }
  friend constexpr bool operator==(const Digest128&, const Digest128&) = default;
};

/// "s1:" and 32 hex digits, most significant first; "s1" is the version of the definition.
[[nodiscard]] std::string to_string(const Digest128& digest);

/// Whether a digest in text form was made by the definition used here: others cannot be compared.
[[nodiscard]] bool is_current_digest(std::string_view text) noexcept;

}  // namespace sluice::rdb
