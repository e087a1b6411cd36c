#include "key_option.h"

#include <optional>
#include <string_view>
#include <utility>

namespace sluice::tools {
namespace {

/// RFC 4648, section 4; padding may be left out.
std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  unsigned bits = 0;
  int bit_count = 0;
  for (const char letter : text) {
    const auto value = letters.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffff;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes += static_cast<char>(bits >> bit_count & 0xff);
  }
  return bytes;
}

}  // namespace

void add_key_option(CLI::App& app, KeyOption& key) {
  app.add_option("KEY", key.text, "Name of the key")->required();
  app.add_flag("--key-base64", key.is_base64, "KEY is base64, for names that are binary");
}

Result<std::string> bytes_of(const KeyOption& key) {
  if (!key.is_base64) return key.text;
  auto bytes = decode_base64(key.text);
  if (bytes) return *std::move(bytes);
  return std::unexpected(Error{.stage = Stage::usage,
                               .code = "bad_key",
                               .message = "the key is not base64, as --key-base64 says"});
}

}  // namespace sluice::tools
