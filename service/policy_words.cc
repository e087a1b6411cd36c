#include "service/policy_words.h"

#include <algorithm>
#include <charconv>

namespace sluice::service {

std::optional<std::size_t> parse_weekday(std::string_view text) noexcept {
  const auto* const found = std::ranges::find(weekday_words, text);
  if (found == weekday_words.end()) return std::nullopt;
  return static_cast<std::size_t>(found - weekday_words.begin());
}

std::optional<ReadFrom> parse_read_from(std::string_view text) noexcept {
  for (const ReadFrom from : {ReadFrom::prefer_replica, ReadFrom::replica, ReadFrom::primary}) {
    if (text == word_of(from)) return from;
  }
  return std::nullopt;
}

std::string_view word_of(ReadFrom from) noexcept {
  switch (from) {
    case ReadFrom::prefer_replica: return "prefer_replica";
    case ReadFrom::replica: return "replica";
    case ReadFrom::primary: return "primary";
  }
  return "";
}

std::optional<BackupLayout> parse_layout(std::string_view text) noexcept {
  for (const BackupLayout layout : {BackupLayout::canonical, BackupLayout::stream}) {
    if (text == word_of(layout)) return layout;
  }
  return std::nullopt;
}

std::string_view word_of(BackupLayout layout) noexcept {
  switch (layout) {
    case BackupLayout::canonical: return "canonical";
    case BackupLayout::stream: return "stream";
  }
  return "";
}

bool is_compression(std::string_view text) noexcept {
  constexpr std::string_view leveled = "zstd:";
  if (!text.starts_with(leveled)) return text == "lz4" || text == "zstd" || text == "none";
  text.remove_prefix(leveled.size());
  unsigned level = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), level);
  return ec == std::errc() && end == text.data() + text.size() && level >= 1 && level <= 19;
}

}  // namespace sluice::service
