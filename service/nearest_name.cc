#include "service/nearest_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sluice::service {
namespace {

char fold(char letter) noexcept {
  if (letter == '-') return '_';
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// Letters to insert, to remove, to change, or to swap with the next (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> away(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        away[i][j] = i + j;
        continue;
      }
      const std::size_t change = fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1;
      std::size_t& least = away[i][j];
      least = std::min({away[i - 1][j - 1] + change, away[i - 1][j] + 1, away[i][j - 1] + 1});
      const bool is_swapped =
          i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
      if (is_swapped) least = std::min(least, away[i - 2][j - 2] + 1);
    }
  }
  return away[a.size()][b.size()];
}

bool begins_alike(std::string_view a, std::string_view b) noexcept {
  constexpr std::size_t least = 3;
  return std::min(a.size(), b.size()) >= least && (a.starts_with(b) || b.starts_with(a));
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t size_max = 64;
  if (name.empty() || name.size() > size_max) return "";
  const std::string* best = nullptr;
  std::size_t least = std::max<std::size_t>(name.size() / 3, 1) + 1;
  for (const std::string& one : known) {
    const std::size_t away = distance(name, one);
    if (away >= least) continue;
    least = away;
    best = &one;
  }
  if (best != nullptr) return *best;
  const auto alike =
      std::ranges::find_if(known, [&](const auto& one) { return begins_alike(name, one); });
  return alike == known.end() ? "" : *alike;
}

std::string name_advice(std::string_view name, const std::vector<std::string>& known) {
  if (known.empty()) return "there is none yet";
  const std::string nearest = nearest_name(name, known);
  if (!nearest.empty()) return fmt::format("write \"{}\"", nearest);
  if (known.size() == 1) return fmt::format("write \"{}\"", known[0]);
  return fmt::format("write one of {}", fmt::join(known, ", "));
}

}  // namespace sluice::service
