#include "service/quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace sluice::service {
namespace {

constexpr std::int64_t second_ms = 1000;
constexpr std::array<std::pair<char, std::int64_t>, 4> duration_units = {
    {{'d', 86'400 * second_ms}, {'h', 3600 * second_ms}, {'m', 60 * second_ms}, {'s', second_ms}}};

/// The number at the front of `text`, which is shortened by it.
template <class Number>
std::optional<Number> take_number(std::string_view& text) noexcept {
  Number number = 0;
  const auto [behind, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc() || text.starts_with('-')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(behind - text.data()));
  return number;
}

char lower(char letter) noexcept {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

std::optional<std::uint64_t> size_factor(std::string_view unit) noexcept {
  constexpr std::string_view prefixes = "kmgt";
  if (unit.empty()) return 1;
  if (unit.size() == 1 && lower(unit[0]) == 'b') return 1;
  const std::size_t prefix = prefixes.find(lower(unit[0]));
  std::string_view rest = unit.substr(1);
  if (rest.size() == 2 && lower(rest[0]) == 'i') rest.remove_prefix(1);
  const bool is_unit = rest.empty() || (rest.size() == 1 && lower(rest[0]) == 'b');
  if (prefix == std::string_view::npos || !is_unit) return std::nullopt;
  return std::uint64_t{1} << 10 * (prefix + 1);
}

}  // namespace

std::optional<std::int64_t> parse_duration_ms(std::string_view text) noexcept {
  constexpr std::int64_t count_max = 1'000'000;
  const auto count = take_number<std::int64_t>(text);
  if (!count || *count > count_max || text.size() != 1) return std::nullopt;
  for (const auto& [unit, unit_ms] : duration_units) {
    if (text[0] == unit) return *count * unit_ms;
  }
  return std::nullopt;
}

std::string duration_text(std::int64_t duration_ms) {
  for (const auto& [unit, unit_ms] : duration_units) {
    if (duration_ms != 0 && duration_ms % unit_ms == 0)
      return fmt::format("{}{}", duration_ms / unit_ms, unit);
  }
  return fmt::format("{}s", duration_ms / second_ms);
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  const auto count = take_number<std::uint64_t>(text);
  if (!count) return std::nullopt;
  while (text.starts_with(' ')) text.remove_prefix(1);
  const auto factor = size_factor(text);
  if (!factor || *count > std::numeric_limits<std::uint64_t>::max() / *factor) return std::nullopt;
  return *count * *factor;
}

std::optional<unsigned> parse_clock_time(std::string_view text) noexcept {
  const auto hour = take_number<unsigned>(text);
  if (!hour || *hour > 23 || !text.starts_with(':')) return std::nullopt;
  text.remove_prefix(1);
  const std::size_t digits = text.size();
  const auto minute = take_number<unsigned>(text);
  if (!minute || *minute > 59 || digits != 2 || !text.empty()) return std::nullopt;
  return *hour * 60 + *minute;
}

std::string clock_text(unsigned minute_of_day) {
  return fmt::format("{:02}:{:02}", minute_of_day / 60 % 24, minute_of_day % 60);
}

}  // namespace sluice::service
