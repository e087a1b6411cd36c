#pragma once

#include <cstdint>
#include <string>

namespace sluice::rdb {

/// The name in a module type's id, nine characters, and the version of its encoding: "ReJSON-RL/3".
/// Source: Redis src/module.c moduleTypeNameByID().
[[nodiscard]] std::string module_name(std::uint64_t id);

}  // namespace sluice::rdb
