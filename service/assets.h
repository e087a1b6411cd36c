#pragma once

#include <string_view>

namespace sluice::service {

/// A file of the console, embedded into the program.
struct Asset {
  std::string_view path;  ///< "/app.js"
  std::string_view type;  ///< Its media type.
  std::string_view bytes;
};

/// None when there is no such file. Only exact names are found.
[[nodiscard]] const Asset* find_asset(std::string_view path);

/// The OpenAPI document.
[[nodiscard]] std::string_view openapi_document();

}  // namespace sluice::service
