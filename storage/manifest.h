#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/file.h"
#include "storage/format.h"

namespace sluice::storage {

using ByteSink = std::function<Result<void>(std::span<const std::byte>)>;

/// Gives the bytes of the manifest to `sink`, in order, and returns the digest they end with.
/// Precondition: `backup` is consistent (sums, ids). Errors: the sink's; limit_exceeded.
[[nodiscard]] Result<format::Digest> write_manifest(const Backup& backup,
                                                    std::array<std::byte, 8> repository,
                                                    const ByteSink& sink);

/// Reads the manifest `name` in `directory` and checks all of it: size, digest, limits, and that
/// every chunk lies within its pack and follows the one before in the logical stream.
/// Memory:  what the Backup takes; never more than the file's own size before it is believed.
/// Errors:  not_found, truncated, corrupt, checksum_mismatch, limit_exceeded, unsupported_format,
///          unsupported_feature, the system's.
[[nodiscard]] Result<Backup> read_manifest(const Directory& directory, const std::string& name,
                                           const BackupKey& key,
                                           std::array<std::byte, 8> repository);

}  // namespace sluice::storage
