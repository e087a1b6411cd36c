#pragma once

#include <string>

namespace sluice::service {

/// "scrypt$N$r$p$salt$hash" with a salt of its own. Takes 32 MiB for some 60 ms.
[[nodiscard]] std::string hash_password(const std::string& password);
/// Whether it is the password of such a hash.
[[nodiscard]] bool is_password(const std::string& password, const std::string& hash);

}  // namespace sluice::service
