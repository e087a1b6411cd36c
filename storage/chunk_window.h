#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/backup.h"

namespace sluice::storage {

/// Some successive chunks of a backup, and how to read their blobs in the order of the disk.
struct ChunkWindow {
  static constexpr std::uint32_t chunks_max = 64;
  static constexpr std::size_t stored_bytes_max = std::size_t{8} << 20;
  static constexpr std::uint64_t gap_bytes_max = std::uint64_t{128} << 10;

  /// Bytes to read of one pack, without a break.
  struct Range {
    std::uint32_t pack = 0;  ///< Position in the manifest.
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  /// A blob, in the order in which the ranges give them.
  struct Step {
    std::uint32_t blob = 0;  ///< Position in the manifest.
    std::uint32_t skip = 0;  ///< Bytes of the range before it that nobody wants.
  };

  std::uint32_t first = 0;
  std::uint32_t last = 0;  ///< One past the last chunk.
  /// The blobs are read in the order of the chunks, one a chunk: nothing need be held.
  bool direct = false;
  std::vector<Range> ranges;
  std::vector<Step> steps;
};

/// The window that begins with chunk `first` and ends before `end`; at least one chunk.
///
/// Chunks of one blob each that lie one after another in one pack are a direct window, as long as
/// it goes, when it is long enough to be worth it. Else the window is bounded by chunks_max and
/// stored_bytes_max, and its blobs are sorted by pack and offset. A blob that several chunks share
/// is read once.
/// Precondition: first < end <= backup.chunks.size().
[[nodiscard]] ChunkWindow plan_window(const Backup& backup, std::uint32_t first, std::uint32_t end);

}  // namespace sluice::storage
