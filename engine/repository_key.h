#pragma once

#include "sluice/repository.h"
#include "sluice/result.h"
#include "storage/key_slot.h"

namespace sluice::engine {

/// Reads what a key is given as: a file, what a command prints. Blocks for the command.
/// Errors: "bad_key", which names the file or the command and says what is wrong; never the key.
/// Precondition: key.is_given().
[[nodiscard]] Result<storage::KeyMaterial> read_key(const RepositoryKey& key);

/// The same as storage asks for it; empty when no key is given.
[[nodiscard]] Result<storage::KeySource> key_source(const RepositoryKey& key);

}  // namespace sluice::engine
