#pragma once

#include <cstdint>
#include <string>

#include "storage/error.h"
#include "storage/file.h"
#include "storage/format.h"

namespace sluice::storage {

/// A file that is not yet known to be on stable storage.
struct RewrittenFile {
  Fd file;
  bool nameless = false;  ///< O_TMPFILE worked; else it has its temporary name.
};

/// Copies a file whose fdatasync failed into a new one of the same directory, mode 0400, not
/// synced.
///
/// After a failed sync the kernel may have dropped what it could not write and call the rest clean:
/// to sync the same file again would succeed and prove nothing. What can still be read, from memory
/// or from the disk, is therefore held against the digest taken while it was written, and the copy
/// is written from nothing.
///
/// `digest`: what the last 16 bytes must be, and XXH3-128 of those before them. `bytes`: of the
/// whole file, 16 or more. `name` is what the file is to be called; a temporary file of that name
/// is replaced.
/// Errors: checksum_mismatch when what is read back is not what was written; the system's.
/// Memory: 1 MiB. Blocks until it is done.
[[nodiscard]] Result<RewrittenFile> rewrite_file(const Fd& file, const Directory& directory,
                                                 const std::string& name, std::uint64_t bytes,
                                                 const format::Digest& digest);

}  // namespace sluice::storage
