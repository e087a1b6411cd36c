#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/backup.h"
#include "storage/error.h"
#include "storage/file.h"
#include "storage/format.h"
#include "storage/repository_stamp.h"

namespace sluice::storage {

using ByteSink = std::function<Result<void>(std::span<const std::byte>)>;

/// Gives the bytes of the manifest to `sink`, in order, and returns the digest they end with.
/// `salt`: random in an encrypted repository, else zeros; whatever is written with one salt is the
/// same bytes.
/// Precondition: `backup` is consistent (sums, ids). Errors: the sink's; limit_exceeded.
[[nodiscard]] Result<format::Digest> write_manifest(const Backup& backup,
                                                    const RepositoryStamp& stamp,
                                                    const format::ManifestSalt& salt,
                                                    const ByteSink& sink);

/// Reads the manifest `name` in `directory` and checks all of it: size, digest, limits, sums, that
/// every blob lies within its pack, and that the blobs of a chunk are a chain of its type. Where it
/// is encrypted, every byte of it is authenticated.
/// Memory:  what the Backup takes; never more than the file's own size before it is believed.
/// Errors:  not_found, truncated, corrupt, checksum_mismatch, limit_exceeded, unsupported_format,
///          unsupported_feature, key_needed, not_authentic, the system's.
[[nodiscard]] Result<Backup> read_manifest(const Directory& directory, const std::string& name,
                                           const BackupKey& key, const RepositoryStamp& stamp);

/// What a manifest says of packs, in clear even where it is encrypted.
struct ManifestPacks {
  std::vector<PackRef> packs;
  format::Digest manifest_digest{};
};

/// The same, but gives only the packs, and checks size, limits and digest. Needs no key; with one,
/// the packs are authenticated.
/// Memory:  theirs and 1 MiB.
[[nodiscard]] Result<ManifestPacks> read_manifest_packs(const Directory& directory,
                                                        const std::string& name,
                                                        const BackupKey& key,
                                                        const RepositoryStamp& stamp);

/// XXH3-64 of the header before its checksum.
[[nodiscard]] std::uint64_t manifest_header_checksum(const format::ManifestHeader& header) noexcept;

/// Whether such a blob can be the `link`-th (from 0) of a chunk of `type`. nullptr, or what is
/// wrong.
[[nodiscard]] const char* wrong_in_chain(std::uint8_t blob_type, std::uint8_t blob_flags,
                                         std::uint8_t type, std::size_t link) noexcept;

}  // namespace sluice::storage
