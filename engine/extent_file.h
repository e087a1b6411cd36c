#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "sluice/result.h"

namespace sluice::engine {

/// A stretch of an ExtentFile, with what it needs for itself; no bytes: none.
struct Extent {
  std::uint64_t at = 0;
  std::uint64_t bytes = 0;
};

/// Lists of extents in a file without a name in $TMPDIR or /tmp. Each extent says where the one
/// before it in its list lies, so that a list takes no memory but for its last.
///
/// Errors:  "scratch_failed", also when what is read is not what was written.
/// Threads: one at a time writes; any number read and discard what is written.
class ExtentFile {
 public:
  /// What stands before the bytes of an extent.
  struct Head {
    std::uint64_t before_at = 0;
    std::uint64_t before_bytes = 0;
    std::uint64_t checksum = 0;  ///< XXH3-64 of all after the head, seeded with `before_at`.
  };
  /// Of one write().
  static constexpr std::size_t parts_max = 512;

  ExtentFile() = default;
  ExtentFile(const ExtentFile&) = delete;
  ExtentFile& operator=(const ExtentFile&) = delete;
  ~ExtentFile();

  /// Writes `parts` as one extent behind `before`. The file is made at the first write.
  [[nodiscard]] Result<Extent> write(const Extent& before,
                                     std::span<const std::span<const std::byte>> parts);
  /// Fills `into`, extent.bytes large, head and all; returns the extent before.
  [[nodiscard]] Result<Extent> read(const Extent& extent, std::span<std::byte> into) const;
  /// Fills `into` from the extent's beginning, unproven; returns the extent before.
  [[nodiscard]] Result<Extent> peek(const Extent& extent, std::span<std::byte> into) const;
  /// Gives the disk's room back where the file system can. Nobody reads the extent any more.
  void discard(const Extent& extent) const noexcept;

  [[nodiscard]] std::uint64_t written_bytes() const noexcept {
    return size_.load(std::memory_order_relaxed);
  }

 private:
  int fd_ = -1;
  std::atomic<std::uint64_t> size_ = 0;
};

}  // namespace sluice::engine
