#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "service/config.h"

namespace sluice::service {

class Core;

/// How an instance is, in a word and in a sentence.
struct Health {
  std::string state;  ///< ok running failing overdue damaged never manual
  std::string text;
};

[[nodiscard]] Health health_of(Core& core, const InstanceEntry& instance, std::int64_t now_ms);

/// Since when a backup is overdue by the policy; none when it is not.
[[nodiscard]] std::optional<std::int64_t> overdue_since(Core& core, const InstanceEntry& instance,
                                                        std::int64_t now_ms);

}  // namespace sluice::service
