#pragma once

#include <string_view>

namespace sluice::engine {

/// Whether a text matches a pattern as the command KEYS has it: * ? [abc] [a-z] [^a] and \ before
/// what is to be taken as it is. In time of pattern times text at most, whatever the pattern.
///
/// Source: Redis src/util.c stringmatchlen().
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

}  // namespace sluice::engine
