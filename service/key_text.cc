#include "service/key_text.h"

#include <charconv>

namespace sluice::service {

std::string unescaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t taken = 1;
    char byte = text.front();
    if (text.starts_with("\\\\") || text.starts_with("\\\"")) {
      byte = text[1];
      taken = 2;
    } else if (text.starts_with("\\x") && text.size() >= 4) {
      unsigned char code = 0;
      if (std::from_chars(text.data() + 2, text.data() + 4, code, 16).ptr == text.data() + 4) {
        byte = static_cast<char>(code);
        taken = 4;
      }
    }
    out += byte;
    text.remove_prefix(taken);
  }
  return out;
}

std::string prefix_glob(std::string_view prefix) {
  std::string glob;
  for (const char c : prefix) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\' || c == '^') glob += '\\';
    glob += c;
  }
  return glob + '*';
}

std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && line.substr(i + 1).starts_with('"')) {
      fields.back() += c;
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

}  // namespace sluice::service
