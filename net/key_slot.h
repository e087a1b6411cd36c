#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::net {

inline constexpr std::size_t cluster_slots = 16384;

/// The hash slot of a key: CRC16 of what stands between the first { and the next }, or of all.
///
/// Source: Redis src/crc16.c, src/cluster.h (keyHashSlot).
[[nodiscard]] std::uint16_t key_slot(std::span<const std::byte> key, bool& has_tag) noexcept;
[[nodiscard]] inline std::uint16_t key_slot(std::span<const std::byte> key) noexcept {
  bool has_tag = false;
  return key_slot(key, has_tag);
}

}  // namespace sluice::net
