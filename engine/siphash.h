#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::engine {

/// The key under which borders are chosen, so that who writes data cannot choose them.
using CutKey = std::array<std::byte, 16>;

/// SipHash-2-4 with a result of 64 bits (Aumasson, Bernstein, 2012). Ours because OpenSSL's takes
/// more than twice as long for a text as short as a key.
[[nodiscard]] std::uint64_t siphash(const CutKey& key, std::span<const std::byte> text) noexcept;

}  // namespace sluice::engine
