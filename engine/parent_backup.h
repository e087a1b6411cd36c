#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/partition_store.h"
#include "engine/repository_access.h"
#include "sluice/result.h"

namespace sluice::engine {

/// The backup that a new one is stored against.
///
/// Lifetime: `map` refers to `backup`, so it is neither copied nor moved.
/// Threads:  read-only once made.
struct ParentBackup {
  ParentBackup(const ParentBackup&) = delete;
  ParentBackup& operator=(const ParentBackup&) = delete;

  /// Errors: "corrupt"; "unsupported_format" when it is not in canonical layout.
  [[nodiscard]] static Result<std::unique_ptr<ParentBackup>> of(OpenBackup backup);

  OpenBackup backup;
  std::optional<CanonicalMap> map;  ///< Never empty once made.

 private:
  explicit ParentBackup(OpenBackup opened) : backup(std::move(opened)) {}
};

/// Borders of partitions of about `partition_bytes` at which runs of the parent begin.
[[nodiscard]] std::vector<Fence> fences_of(const ParentBackup& parent,
                                           std::uint64_t partition_bytes);

}  // namespace sluice::engine
