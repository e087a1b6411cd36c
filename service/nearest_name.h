#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::service {

/// The one of `known` that `name` was most likely meant to be; empty when none is near. Upper and
/// lower case count as the same.
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       const std::vector<std::string>& known);

/// What to write instead of `name`: the nearest one, or all there are.
[[nodiscard]] std::string name_advice(std::string_view name, const std::vector<std::string>& known);

}  // namespace sluice::service
