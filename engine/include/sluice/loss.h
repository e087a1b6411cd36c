#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice {

/// Something that the version written cannot say.
struct RdbLoss {
  std::string of;                 ///< "key", "function" or "module_aux".
  std::uint64_t db = 0;           ///< Of a key.
  std::string name;               ///< Escaped: the key, a library's first line, or the module.
  std::string type;               ///< Of a key: its encoding in the source.
  std::vector<std::string> what;  ///< Of a key: "value" when it is left out, "field_expiries", …
  std::string message;            ///< One line on all of that.
};

}  // namespace sluice
