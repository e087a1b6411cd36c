#pragma once

#include <string>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/repository_access.h"
#include "sluice/job.h"
#include "sluice/result.h"
#include "sluice/verify.h"
#include "storage/repository.h"

namespace sluice::engine {

struct SalvageSetting {
  const storage::Repository* repository = nullptr;
  const OpenBackup* backup = nullptr;
  const CanonicalMap* map = nullptr;  ///< Null for layout stream.
  std::vector<bool> lost;             ///< By ordinal: chunks that are not to be used.
  std::string file;                   ///< "-" for standard output.
};

/// Writes an RDB, one that servers load, of what is left of a backup: every record of which nothing
/// is in a lost chunk. What comes before the records is left out with the chunks that it is in:
/// aux fields, functions; so is what comes after them.
///
/// Memory: as reading the backup back.
/// Errors: "unsupported_format" for a backup whose chunks are in no known order; the file's;
///         "cancelled"; the archive's for a chunk that was not known to be lost.
[[nodiscard]] Result<Salvaged> salvage(const SalvageSetting& setting, const JobContext& job);

}  // namespace sluice::engine
