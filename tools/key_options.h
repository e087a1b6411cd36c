#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "sluice/repository.h"
#include "sluice/result.h"

namespace sluice::tools {

/// The options --repo-passphrase-file, --repo-key-file and --repo-key-command; with "new" in place
/// of "repo" for a key that is to be added. One of them at most.
void add_key_options(CLI::App& app, RepositoryKey& key, const std::string& prefix);

/// Where no option gave a key, what the environment says: SLUICE_REPOSITORY_PASSPHRASE, else
/// SLUICE_REPO_PASSPHRASE_FILE, SLUICE_REPO_KEY_FILE, SLUICE_REPO_KEY_COMMAND.
void take_key_from_environment(RepositoryKey& key);

/// Asks for a new passphrase on the terminal, twice, without showing it.
/// Errors: "no_passphrase" without a terminal, or when the two differ.
[[nodiscard]] Result<std::string> ask_new_passphrase();

}  // namespace sluice::tools
