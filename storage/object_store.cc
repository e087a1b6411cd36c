#include "storage/object_store.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::storage {
namespace {

constexpr std::size_t part_bytes_max = 255;
constexpr std::size_t name_bytes_max = 1024;

bool is_name_byte(char byte) noexcept {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

}  // namespace

bool is_object_name_part(std::string_view part) noexcept {
  return !part.empty() && part.size() <= part_bytes_max && part.front() != '.' &&
         std::ranges::all_of(part, is_name_byte);
}

Result<void> check_object_name(std::string_view name) {
  bool good = name.size() <= name_bytes_max;
  for (std::size_t begin = 0; good && begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    good = is_object_name_part(name.substr(begin, end - begin));
    begin = end + 1;
  }
  if (good) return {};
  return std::unexpected(
      Error{.code = Errc::bad_name,
            .detail = fmt::format("object name {:?}", name.substr(0, name_bytes_max))});
}

Result<void> check_object_prefix(std::string_view prefix) {
  if (prefix.empty()) return {};
  if (prefix.ends_with('/')) return check_object_name(prefix.substr(0, prefix.size() - 1));
  return std::unexpected(
      Error{.code = Errc::bad_name,
            .detail = fmt::format("prefix of objects {:?}", prefix.substr(0, name_bytes_max))});
}

}  // namespace sluice::storage
