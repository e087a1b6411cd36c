#include "engine/glob.h"

#include <algorithm>
#include <cstddef>

namespace sluice::engine {
namespace {

unsigned char code(char letter) noexcept { return static_cast<unsigned char>(letter); }

/// Whether `letter` is in the class that begins behind the [ at `at`; moves `at` behind its ]. One
/// that is not closed ends with the pattern.
bool in_class(std::string_view pattern, std::size_t& at, char letter) noexcept {
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      found = found || pattern[at + 1] == letter;
      at += 2;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      const auto [low, high] = std::minmax({code(pattern[at]), code(pattern[at + 2])});
      found = found || (code(letter) >= low && code(letter) <= high);
      at += 3;
    } else {
      found = found || pattern[at] == letter;
      ++at;
    }
  }
  if (at < pattern.size()) ++at;
  return found != negated;
}

/// Whether the one item of the pattern at `at`, no star, takes `letter`; moves `at` behind it.
bool takes(std::string_view pattern, std::size_t& at, char letter) noexcept {
  const char item = pattern[at++];
  if (item == '?') return true;
  if (item == '[') return in_class(pattern, at, letter);
  if (item == '\\' && at < pattern.size()) return pattern[at++] == letter;
  return item == letter;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
  constexpr std::size_t none = std::string_view::npos;
  std::size_t at = 0;         // of the pattern
  std::size_t behind = none;  // the last star: only that one ever needs to take more
  std::size_t retry = 0;      // and from where the text was matched with what follows it
  for (std::size_t i = 0; i < text.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      behind = ++at;
      retry = i;
      continue;
    }
    if (at < pattern.size() && takes(pattern, at, text[i])) {
      ++i;
      continue;
    }
    if (behind == none) return false;
    at = behind;
    i = ++retry;
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace sluice::engine
