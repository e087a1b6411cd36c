#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "rdb/value_type.h"

namespace sluice::engine {

/// As much of a value as type_name() needs.
inline constexpr std::size_t type_head_bytes = 9;

/// The type of a key by the name that JSON lines have for it (docs/cli.md). `value` begins with the
/// first bytes of the value: a vector set is a module's value otherwise.
[[nodiscard]] std::string_view type_name(rdb::LogicalType type,
                                         std::span<const std::byte> value) noexcept;

}  // namespace sluice::engine
