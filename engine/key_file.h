#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "sluice/result.h"

namespace sluice::engine {

/// Names of keys, as a file has them: one a line, as messages show them: \xHH for any byte, \\ and
/// \" for themselves; quotes around the whole line may stand or not. All other bytes are
/// themselves. Empty lines count for nothing; "" is the key without a name. CR LF ends a line too.
///
/// Memory: the file and about twice its names.
/// Errors: "bad_key_file" names file and line; also when it cannot be read.
[[nodiscard]] Result<void> read_key_file(const std::string& path,
                                         std::unordered_set<std::string>& names);

}  // namespace sluice::engine
