#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli.h"
#include "sluice/prune.h"

namespace sluice::tools {

/// --confirm, --trash, --no-repack and --accept-shrinkage: what removing verbs have in common.
struct RemovalFlags {
  bool confirm = false;
  std::string trash = "7d";
  bool no_repack = false;
  bool accept_shrinkage = false;
};

void add_removal_flags(CLI::App& app, RemovalFlags& flags);
/// Errors: "bad_option".
[[nodiscard]] Result<CollectionOptions> to_collection(const RemovalFlags& flags);

/// Prints the result, as JSON if asked for, and gives the exit code: `incomplete` when packs had to
/// stay.
int report_removal(const PruneResult& result, const Globals& globals);

}  // namespace sluice::tools
