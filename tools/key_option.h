#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "sluice/result.h"

namespace sluice::tools {

/// The argument KEY. A name that is binary is given as base64.
struct KeyOption {
  std::string text;
  bool is_base64 = false;
};

void add_key_option(CLI::App& app, KeyOption& key);

/// The bytes of the name. Errors: "bad_key".
[[nodiscard]] Result<std::string> bytes_of(const KeyOption& key);

}  // namespace sluice::tools
