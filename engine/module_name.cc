#include "engine/module_name.h"

#include <cstdint>

namespace sluice::engine {

std::string module_name(std::span<const std::byte> value) {
  constexpr std::byte len_64{0x81};  // an id needs all 64 bits, so it has no shorter form
  constexpr std::size_t len_bytes = 9;
  constexpr const char* letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  if (value.size() < len_bytes || value[0] != len_64) return {};
  std::uint64_t id = 0;
  for (const std::byte byte : value.subspan(1, 8)) id = id << 8 | std::to_integer<unsigned>(byte);
  std::string name;
  for (int shift = 58; shift >= 10; shift -= 6) name += letters[id >> shift & 63];
  return name;
}

}  // namespace sluice::engine
