#include "engine/function_set.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace sluice::engine {

std::string library_name(std::span<const std::byte> source) {
  std::string_view line(reinterpret_cast<const char*>(source.data()), source.size());
  line = line.substr(0, line.find('\n'));
  const std::size_t at = line.find("name=");
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + 5);
  return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

bool FunctionSet::add(std::span<const std::byte> source) {
  std::string name = library_name(source);
  std::string text(reinterpret_cast<const char*>(source.data()), source.size());
  const auto [place, is_new] = libraries_.try_emplace(std::move(name), text);
  const bool differs = !is_new && place->second != text;
  if (differs && std::ranges::find(differing_, place->first) == differing_.end())
    differing_.push_back(place->first);
  return is_new;
}

void FunctionSet::merge(const FunctionSet& other,
                        const std::function<void(std::span<const std::byte> source)>& on_new) {
  for (const auto& [name, source] : other.libraries_) {
    const auto bytes = std::as_bytes(std::span(source));
    if (add(bytes)) on_new(bytes);
  }
  for (const std::string& name : other.differing_) {
    if (std::ranges::find(differing_, name) == differing_.end()) differing_.push_back(name);
  }
}

}  // namespace sluice::engine
