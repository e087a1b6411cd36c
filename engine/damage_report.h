#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/check_findings.h"
#include "engine/repository_access.h"
#include "sluice/verify.h"
#include "storage/repository.h"

namespace sluice::engine {

/// A place in a pack: a blob, or the pack itself.
struct DamagedPlace {
  storage::PackId pack;
  std::optional<std::uint64_t> offset;
};

/// What of one backup is damaged, in words and in fields.
struct DamageReport {
  std::vector<std::string> problems;  ///< VerifyResult::problems_max at most.
  std::uint64_t problem_count = 0;
  std::vector<VerifyDamage> damage;  ///< VerifyResult::damage_max at most.
  std::uint64_t damage_count = 0;

  std::vector<std::optional<DamagedPlace>> places;  ///< Of each damage.
  std::vector<std::size_t> problem_of;  ///< Each damage's position in `problems`, or past them.
};

/// `map` is null for layout stream. Reads, where pieces of long values are damaged, the runs that
/// long values are in, to tell whose they are.
[[nodiscard]] DamageReport report_damage(const storage::Repository& repository,
                                         const OpenBackup& backup, const CanonicalMap* map,
                                         std::vector<CheckFinding> findings);

/// Looks into all manifests of the repository for backups that need what is damaged, and adds them
/// to each damage and to its line. Errors: what keeps the backups from being listed; manifests that
/// cannot be read are passed over.
[[nodiscard]] Result<void> add_touched_backups(
    const storage::Repository& repository,
    std::vector<std::pair<std::string, DamageReport*>> reports);

}  // namespace sluice::engine
