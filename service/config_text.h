#pragma once

#include <string>
#include <string_view>

#include "service/secret_file.h"

namespace sluice::service {

/// A string of the configuration with each ${NAME} replaced by the environment's and each
/// ${file:PATH} by the first line of that file, which is read as a secret is. $${ is ${ itself.
[[nodiscard]] Setting<std::string> expand(std::string_view text, const FilePlaces& places);

/// Whether it is one ${…} and nothing else: how a secret may stand in a configuration.
[[nodiscard]] bool is_reference(std::string_view text) noexcept;
[[nodiscard]] bool has_reference(std::string_view text) noexcept;

/// "redis://user:${PASSWORD}@host" taken apart.
struct UriParts {
  std::string uri;       ///< Without the password.
  std::string password;  ///< As it stands there; empty: none.
};
[[nodiscard]] UriParts split_password(std::string_view uri);

}  // namespace sluice::service
