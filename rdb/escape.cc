#include "rdb/escape.h"

#include <algorithm>

namespace sluice::rdb {

std::string escape(std::span<const std::byte> bytes, std::size_t bytes_max) {
  constexpr const char* hex = "0123456789abcdef";
  std::string text;
  text.reserve(std::min(bytes.size(), bytes_max) + 3);
  for (const std::byte byte : bytes.first(std::min(bytes.size(), bytes_max))) {
    const auto code = std::to_integer<unsigned char>(byte);
    if (code == '"' || code == '\\') {
      text += '\\';
      text += static_cast<char>(code);
    } else if (code >= 0x20 && code < 0x7f) {
      text += static_cast<char>(code);
    } else {
      text += "\\x";
      text += hex[code >> 4];
      text += hex[code & 15];
    }
  }
  if (bytes.size() > bytes_max) text += "...";
  return text;
}

}  // namespace sluice::rdb
