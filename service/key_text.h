#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::service {

/// A key's name out of its escaped form: \xNN, \" and \\; any other backslash stands for itself.
[[nodiscard]] std::string unescaped(std::string_view text);

/// The glob that a prefix is: what would be special in it is quoted.
[[nodiscard]] std::string prefix_glob(std::string_view prefix);

/// The fields of a line of CSV.
[[nodiscard]] std::vector<std::string> csv_fields(std::string_view line);

}  // namespace sluice::service
