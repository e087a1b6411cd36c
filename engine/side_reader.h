#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/canonical_map.h"
#include "engine/fragment_list.h"
#include "sluice/result.h"
#include "storage/chunk_reader.h"
#include "storage/repository.h"

namespace sluice::engine {

/// Reads single chunks of a backup, in any order. Opens nothing before the first.
///
/// Memory:   16 MiB at most, once something is read.
/// Errors:   the archive's: a chunk that cannot be read, named.
/// Threads:  one at a time. Lifetime: what it is made of must outlive it.
class SideReader {
 public:
  SideReader(const storage::Repository& repository, const storage::Backup& backup)
      : repository_(repository), backup_(backup) {}

  /// Its bytes, valid until the next call. Precondition: it exists.
  [[nodiscard]] Result<std::span<const std::byte>> read(std::uint32_t ordinal);
  /// A piece of the long value of `key`, which is for the message. `map` is of the same backup.
  /// Errors: "corrupt" when it is not there.
  [[nodiscard]] Result<std::span<const std::byte>> read(const CanonicalMap& map,
                                                        const Fragment& fragment,
                                                        std::span<const std::byte> key);
  /// How many chunks were read.
  [[nodiscard]] std::uint64_t reads() const noexcept { return reads_; }

 private:
  const storage::Repository& repository_;
  const storage::Backup& backup_;
  std::unique_ptr<storage::ChunkReader> reader_;
  std::uint64_t reads_ = 0;
};

}  // namespace sluice::engine
