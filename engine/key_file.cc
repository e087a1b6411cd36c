#include "engine/key_file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>

namespace sluice::engine {
namespace {

Error bad_file(const std::string& path, const std::string& why) {
  return {
      .stage = Stage::usage, .code = "bad_key_file", .message = "key file " + path + ": " + why};
}

int hex_digit(char letter) noexcept {
  if (letter >= '0' && letter <= '9') return letter - '0';
  const char lower = static_cast<char>(letter | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// What rdb::escape() was given.
std::optional<std::string> unescape(std::string_view text) {
  std::string name;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      name += text[at];
      continue;
    }
    const std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('\\') || rest.starts_with('"')) {
      name += rest[0];
      at += 1;
    } else if (rest.size() >= 3 && rest[0] == 'x' && hex_digit(rest[1]) >= 0 &&
               hex_digit(rest[2]) >= 0) {
      name += static_cast<char>(hex_digit(rest[1]) << 4 | hex_digit(rest[2]));
      at += 3;
    } else {
      return std::nullopt;
    }
  }
  return name;
}

std::optional<std::string> name_of(std::string_view line) {
  const bool is_quoted = line.size() >= 2 && line.starts_with('"') && line.ends_with('"');
  return unescape(is_quoted ? line.substr(1, line.size() - 2) : line);
}

}  // namespace

Result<void> read_key_file(const std::string& path, std::unordered_set<std::string>& names) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(bad_file(path, std::strerror(errno)));
  std::string line;
  for (std::uint64_t number = 1; std::getline(file, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    auto name = name_of(line);
    if (!name) {
      return std::unexpected(bad_file(
          path, "line " + std::to_string(number) + ": \\ has to be followed by \\, \" or xHH"));
    }
    names.insert(*std::move(name));
  }
  if (file.bad() || !file.eof()) return std::unexpected(bad_file(path, "it cannot be read"));
  return {};
}

}  // namespace sluice::engine
