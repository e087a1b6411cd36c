#pragma once

#include <string>

#include "cli.h"
#include "sluice/restore.h"

namespace sluice::tools {

/// The table of a restore or a clone, and what went wrong, as a person reads it. `title` comes
/// first.
void print_result(const RestoreResult& result, const std::string& title);

/// The exit code, after an error was told on stderr.
[[nodiscard]] int exit_code_of(const RestoreResult& result, const Globals& globals);

}  // namespace sluice::tools
