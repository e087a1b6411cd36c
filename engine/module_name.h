#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace sluice::engine {

/// The nine letters of a module type from the LEN that a module's value begins with; empty when
/// `value` is too short. Source: Redis src/module.c moduleTypeEncodeId().
[[nodiscard]] std::string module_name(std::span<const std::byte> value);

}  // namespace sluice::engine
