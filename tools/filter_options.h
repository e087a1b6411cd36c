#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "sluice/filter.h"
#include "sluice/result.h"

namespace sluice::tools {

/// The options of a Filter as they are given.
struct FilterOptions {
  KeyConditions only;
  KeyConditions except;
  std::vector<std::string> only_slots;
  std::vector<std::string> except_slots;
  std::vector<std::string> databases;  ///< "3:0"
  std::string prefix;
  std::string ttl = "keep";
  bool functions = false;
};

/// --match --match-regex --key-file --type --db --slot, and each of them with --no-: which keys.
void add_choosing_options(CLI::App& app, FilterOptions& options);
/// --functions: what is not in keys, though keys are chosen.
void add_functions_option(CLI::App& app, FilterOptions& options);
/// --map-db --add-prefix --ttl: as what they go somewhere.
void add_mapping_options(CLI::App& app, FilterOptions& options);

/// Errors: "bad_option". What the conditions themselves say is the job's to check.
[[nodiscard]] Result<Filter> to_filter(const FilterOptions& options);

}  // namespace sluice::tools
