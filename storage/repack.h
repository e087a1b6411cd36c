#pragma once

#include <memory>

#include "storage/error.h"
#include "storage/layout.h"
#include "storage/repository.h"

namespace sluice::storage {

/// What Repository::repack() does, and promises.
///
/// Order: (1) the new packs are written by a writer like any other, whose HEAD then says `packs`;
///        (2) for each backup, a new manifest, then HEAD names it by compare-and-swap; (3) the old
///        manifests go; (4) packs are judged as at any removal: thin ones that nobody names any
///        more go, and the new ones stay as far as they are named.
///        At any time each HEAD names a manifest whose packs are all there.
[[nodiscard]] Result<Repacked> repack(const std::shared_ptr<const Layout>& layout,
                                      const OpenOptions& open, const RepackOptions& options);

}  // namespace sluice::storage
