#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "storage/backup_id.h"
#include "storage/error.h"
#include "storage/layout.h"

namespace sluice::storage {

/// Packs that listed backups name.
struct NeededPacks {
  std::set<PackId> packs;
  /// Why there may be more: a backup whose manifests cannot be read, or a live writer that builds
  /// on one that is not listed, or not with that manifest any more. Then nothing may be given up.
  std::optional<Error> unknown;
  /// XXH3-128 of what all HEADs said: state, parent, manifests. Two readings that agree are what
  /// was there at one moment, since states only go forward.
  format::Digest reading{};
  std::uint64_t listed = 0;  ///< Backups that are listed, those that cannot be read too.
};

/// Reads the packs of every listed backup. Of the packs, only those of backups in `of` are kept.
/// Running backups whose lease is over are fenced when they stand in the way.
///
/// Order: running HEADs are looked at again after the manifests were read, so a writer whose backup
///        commits meanwhile is either seen running or its parent covers what it adopted.
/// Precondition: the repository's lock is held, so no backup begins.
/// Memory: 24 bytes a pack that is kept, and the packs of one manifest.
/// Errors: of a listing.
[[nodiscard]] Result<NeededPacks> needed_packs(const Layout& layout, const std::set<BackupId>& of);

/// Backups that are being written by live writers and build on one of `parents`, by what they build
/// on. HEADs are read once for all of them.
/// Precondition: the repository's lock is held.
[[nodiscard]] Result<std::map<BackupId, BackupKey>> live_children(
    const Layout& layout, std::span<const BackupKey> parents);

}  // namespace sluice::storage
