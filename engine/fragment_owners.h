#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/repository_access.h"
#include "storage/repository.h"

namespace sluice::engine {

/// The keys whose values some fragments are pieces of.
struct FragmentOwner {
  std::uint64_t db = 0;
  std::string first_key;  ///< As a person reads it; of the first of them.
  std::uint64_t keys = 0;
};

/// By the ordinal of the fragment. Reads the runs that hold long values; what cannot be read has no
/// owner. `fragments`: ordinals, ascending.
[[nodiscard]] std::map<std::uint32_t, FragmentOwner> find_fragment_owners(
    const storage::Repository& repository, const OpenBackup& backup, const CanonicalMap& map,
    const std::vector<std::uint32_t>& fragments);

/// Runs in which the manifest says that there are long values, ascending.
[[nodiscard]] std::vector<std::uint32_t> runs_with_long_values(const OpenBackup& backup,
                                                               const CanonicalMap& map);

}  // namespace sluice::engine
