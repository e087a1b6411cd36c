#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <string_view>

namespace sluice::engine {

/// The value of a line of INFO; empty where there is no such line.
[[nodiscard]] inline std::string_view info_field(std::string_view info, std::string_view name) {
  for (std::size_t at = info.find(name); at != std::string_view::npos;
       at = info.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at > 0 && info[at - 1] != '\n') || end >= info.size() || info[end] != ':') continue;
    const auto value = info.substr(end + 1);
    return value.substr(0, value.find_first_of("\r\n"));
  }
  return {};
}

/// Zero for what is no number.
[[nodiscard]] inline std::uint64_t info_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The sum of keys=N over the lines of INFO keyspace: "db0:keys=12,expires=3,avg_ttl=0".
[[nodiscard]] inline std::uint64_t info_keys(std::string_view keyspace) {
  constexpr std::string_view mark = ":keys=";
  std::uint64_t total = 0;
  while (true) {
    const std::size_t at = keyspace.find(mark);
    if (at == std::string_view::npos) return total;
    keyspace.remove_prefix(at + mark.size());
    total += info_number(keyspace);
  }
}

/// The lines of INFO keyspace by database: "db3:keys=12,expires=3,avg_ttl=0" is 12 of 3.
[[nodiscard]] inline std::map<std::uint64_t, std::uint64_t> info_databases(
    std::string_view keyspace) {
  std::map<std::uint64_t, std::uint64_t> databases;
  while (!keyspace.empty()) {
    const std::size_t end = keyspace.find('\n');
    const std::string_view line = keyspace.substr(0, end);
    if (line.starts_with("db")) databases[info_number(line.substr(2))] = info_keys(line);
    if (end == std::string_view::npos) break;
    keyspace.remove_prefix(end + 1);
  }
  return databases;
}

}  // namespace sluice::engine
