#pragma once

#include <cstdint>
#include <optional>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/head.h"
#include "storage/layout.h"
#include "storage/manifest.h"

namespace sluice::storage {

/// Whether there is a manifest in the directory of a backup, or a copy, of whatever number.
[[nodiscard]] Result<bool> has_manifest(const Directory& directory);

/// The highest number of the manifests there; 0 also when there is none.
[[nodiscard]] Result<std::uint32_t> last_manifest_number(const Directory& directory);

/// HEAD of a backup that is, or may be, committed. nullopt: it is running, being removed, or
/// garbage. Errors: those of a HEAD that is damaged or lost.
[[nodiscard]] Result<std::optional<Head>> visible_head(const Layout& layout, const BackupKey& key);

/// The backup, if it is committed or seems to be. nullopt: as visible_head(). Takes the manifest
/// that HEAD names, from the copy if need be; both of them where HEAD is bad. Of an encrypted
/// repository that was opened without a key: only its packs, and the digest of the manifest.
[[nodiscard]] Result<std::optional<Backup>> read_backup(const Layout& layout, const BackupKey& key);

/// The same, but only what it says of packs.
[[nodiscard]] Result<std::optional<ManifestPacks>> read_backup_packs(const Layout& layout,
                                                                     const BackupKey& key);

}  // namespace sluice::storage
