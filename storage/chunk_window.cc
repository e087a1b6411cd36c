#include "storage/chunk_window.h"

#include <algorithm>
#include <tuple>

#include "storage/pack_reader.h"

namespace sluice::storage {
namespace {

constexpr std::uint32_t direct_chunks_min = 16;

/// Goes on with the last range where the blob is near behind it, else begins another.
void add_blob(ChunkWindow& window, const BlobRef& blob, std::uint32_t at) {
  std::uint64_t skip = 0;
  const bool joins = !window.ranges.empty() && [&] {
    const ChunkWindow::Range& range = window.ranges.back();
    const std::uint64_t end = range.offset + range.bytes;
    if (range.pack != blob.pack || blob.offset < end) return false;
    skip = blob.offset - end;
    return skip <= ChunkWindow::gap_bytes_max;
  }();
  if (!joins) {
    skip = 0;
    window.ranges.push_back({.pack = blob.pack, .offset = blob.offset, .bytes = 0});
  }
  window.ranges.back().bytes += skip + blob_bytes(blob);
  window.steps.push_back({.blob = at, .skip = static_cast<std::uint32_t>(skip)});
}

/// As many chunks as lie behind one another. The last chunk added may have begun a second range:
/// then it is taken out again.
ChunkWindow direct_window(const Backup& backup, std::uint32_t first, std::uint32_t end) {
  ChunkWindow window{.first = first, .last = first, .direct = true, .ranges = {}, .steps = {}};
  for (; window.last < end && backup.chunks[window.last].blob_count == 1; ++window.last) {
    const std::uint32_t blob = backup.chunks[window.last].first_blob;
    add_blob(window, backup.blobs[blob], blob);
    if (window.ranges.size() == 1) continue;
    window.ranges.pop_back();
    window.steps.pop_back();
    break;
  }
  return window;
}

/// The last chunk that a bounded window can have, and one more.
std::uint32_t bounded_end(const Backup& backup, std::uint32_t first, std::uint32_t end) {
  std::size_t bytes = 0;
  std::uint32_t last = first;
  for (; last < end && last - first < ChunkWindow::chunks_max; ++last) {
    for (const BlobRef& blob : backup.blobs_of(last)) bytes += blob_bytes(blob);
    if (bytes > ChunkWindow::stored_bytes_max && last > first) break;
  }
  return last;
}

}  // namespace

ChunkWindow plan_window(const Backup& backup, std::uint32_t first, std::uint32_t end) {
  ChunkWindow window = direct_window(backup, first, end);
  if (window.last - first >= direct_chunks_min || window.last == end) return window;
  window = {.first = first,
            .last = bounded_end(backup, first, end),
            .direct = false,
            .ranges = {},
            .steps = {}};
  if (window.last - first == 1 && backup.chunks[first].blob_count == 1) window.direct = true;
  std::vector<std::uint32_t> blobs;
  for (std::uint32_t chunk = first; chunk < window.last; ++chunk) {
    for (std::uint32_t i = 0; i < backup.chunks[chunk].blob_count; ++i)
      blobs.push_back(backup.chunks[chunk].first_blob + i);
  }
  const auto place = [&](std::uint32_t at) {
    const BlobRef& blob = backup.blobs[at];
    return std::tuple(blob.pack, blob.offset, blob.stored_bytes);
  };
  std::ranges::sort(blobs, {}, place);
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    if (i > 0 && place(blobs[i]) == place(blobs[i - 1])) continue;
    add_blob(window, backup.blobs[blobs[i]], blobs[i]);
  }
  return window;
}

}  // namespace sluice::storage
