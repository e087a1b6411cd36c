#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/layout.h"
#include "storage/repository.h"

namespace sluice::storage {

/// A pack of which backups name too little.
struct ThinPack {
  PackRef ref;
  std::map<std::uint64_t, BlobRef> live;  ///< What they name, by where it lies.
  std::uint64_t live_bytes = 0;           ///< Of these blobs, headers included.
};

struct RepackPlan {
  std::vector<ThinPack> packs;   ///< The thinnest first, up to RepackOptions::bytes_max.
  std::optional<Error> unknown;  ///< Why it is not known what is named; then there are no packs.
};

/// Chooses packs of removed backups, by the manifests of all that are listed.
/// Precondition: the repository's lock is held.
/// Memory: 100 bytes a blob in packs of removed backups, and one manifest.
/// Errors: of a listing.
[[nodiscard]] Result<RepackPlan> plan_repack(const Layout& layout, const RepackOptions& options);

}  // namespace sluice::storage
