#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace sluice::engine {

/// "#!lua name=mylib ..." gives "mylib"; empty when there is no name.
[[nodiscard]] std::string library_name(std::span<const std::byte> source);

/// Function libraries by their names, each once.
/// Memory: what they take.
class FunctionSet {
 public:
  /// False when it was there.
  bool add(std::span<const std::byte> source);
  /// Adds what another has under names that are new here, and tells `on_new` of it.
  void merge(const FunctionSet& other,
             const std::function<void(std::span<const std::byte> source)>& on_new);
  [[nodiscard]] std::size_t size() const noexcept { return libraries_.size(); }
  /// Names of those that came with different sources; the first one counts.
  [[nodiscard]] const std::vector<std::string>& differing() const noexcept { return differing_; }

 private:
  std::map<std::string, std::string> libraries_;  // sources
  std::vector<std::string> differing_;
};

}  // namespace sluice::engine
