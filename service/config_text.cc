#include "service/config_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace sluice::service {
namespace {

constexpr std::string_view opening = "${";
constexpr std::string_view file_prefix = "file:";

bool is_name_letter(char letter) noexcept {
  const char folded = static_cast<char>(letter | 0x20);
  return letter == '_' || (letter >= '0' && letter <= '9') || (folded >= 'a' && folded <= 'z');
}

Setting<std::string> value_of(std::string_view reference, const FilePlaces& places) {
  if (reference.starts_with(file_prefix))
    return read_secret_line(places, std::string(reference.substr(file_prefix.size())));
  const std::string name(reference);
  if (name.empty() || !std::ranges::all_of(name, is_name_letter)) {
    return std::unexpected(Refusal{.what = "${…} holds no name of an environment variable",
                                   .instead = "write ${NAME} or ${file:PATH}, or $${ for ${"});
  }
  const char* const value = std::getenv(name.c_str());
  if (value != nullptr) return value;
  return std::unexpected(
      Refusal{.what = fmt::format("the environment has no {}", name),
              .instead = "set it where the service is started, or write the value"});
}

/// The text with all letters of its references blanked.
std::string without_references(std::string_view text) {
  std::string out(text);
  for (std::size_t at = out.find(opening); at != std::string::npos; at = out.find(opening, at)) {
    const std::size_t end = std::min(out.find('}', at), out.size() - 1);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(at),
              out.begin() + static_cast<std::ptrdiff_t>(end) + 1, ' ');
  }
  return out;
}

}  // namespace

Setting<std::string> expand(std::string_view text, const FilePlaces& places) {
  std::string out;
  while (!text.empty()) {
    const std::size_t at = text.find(opening);
    if (at == std::string_view::npos) break;
    const bool is_escaped = at > 0 && text[at - 1] == '$';
    out += text.substr(0, is_escaped ? at - 1 : at);
    text.remove_prefix(at + opening.size());
    if (is_escaped) {
      out += opening;
      continue;
    }
    const std::size_t end = text.find('}');
    if (end == std::string_view::npos) {
      return std::unexpected(
          Refusal{.what = "${ without its }", .instead = "write ${NAME}, or $${ for ${"});
    }
    auto value = value_of(text.substr(0, end), places);
    if (!value) return value;
    out += *value;
    text.remove_prefix(end + 1);
  }
  out += text;
  return out;
}

bool is_reference(std::string_view text) noexcept {
  return text.starts_with(opening) && text.find('}') == text.size() - 1;
}

bool has_reference(std::string_view text) noexcept { return text.contains(opening); }

UriParts split_password(std::string_view uri) {
  UriParts parts{.uri = std::string(uri), .password = {}};
  const std::string marks = without_references(uri);
  const std::size_t scheme = marks.find("://");
  const std::size_t at = marks.rfind('@');
  if (scheme == std::string_view::npos || at == std::string_view::npos) return parts;
  const std::size_t begin = scheme + 3;
  const std::size_t colon = marks.find(':', begin);
  if (colon == std::string_view::npos || colon > at) return parts;
  parts.password = uri.substr(colon + 1, at - colon - 1);
  const bool has_user = colon > begin;
  parts.uri = fmt::format("{}{}", uri.substr(0, colon), uri.substr(has_user ? at : at + 1));
  return parts;
}

}  // namespace sluice::service
