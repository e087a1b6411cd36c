#include "net/key_slot.h"

#include <algorithm>
#include <array>

namespace sluice::net {
namespace {

constexpr std::array<std::uint16_t, 256> crc16_table = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? 0x1021 : 0);
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

std::uint16_t crc16(std::span<const std::byte> bytes) noexcept {
  std::uint16_t crc = 0;
  for (const std::byte byte : bytes) {
    const auto index = static_cast<std::uint8_t>(crc >> 8 ^ std::to_integer<unsigned>(byte));
    crc = static_cast<std::uint16_t>(crc << 8 ^ crc16_table[index]);
  }
  return crc;
}

}  // namespace

std::uint16_t key_slot(std::span<const std::byte> key, bool& has_tag) noexcept {
  has_tag = false;
  const auto open = std::ranges::find(key, std::byte{'{'});
  if (open != key.end()) {
    const std::span<const std::byte> rest(open + 1, key.end());
    const auto close = std::ranges::find(rest, std::byte{'}'});
    has_tag = close != rest.end() && close != rest.begin();
    if (has_tag) key = {rest.begin(), close};
  }
  return crc16(key) % cluster_slots;
}

}  // namespace sluice::net
