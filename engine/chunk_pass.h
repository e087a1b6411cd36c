#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/chunk_check.h"
#include "engine/chunk_sums.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Reads all chunks of a backup once, by any number of threads, each of which takes the next slice
/// of them that nobody has.
///
/// What is done is at any time all before some chunk, so that a pass that was stopped can go on
/// from there.
class ChunkPass {
 public:
  /// Begins with chunk `first`, before which all but `damaged` came to `sums`: those are read
  /// again.
  ChunkPass(const CheckContext& context, unsigned threads, std::uint32_t first = 0,
            const std::vector<std::uint32_t>& damaged = {}, ChunkSums sums = {});

  /// Takes slices until there are none, or it is stopped, or something failed. Call it in each of
  /// the threads.
  void work();

  // Once all have returned.
  [[nodiscard]] bool is_done() const noexcept { return merged_ == slices_.size(); }
  /// Of the chunks before next_chunk() that are not damaged.
  [[nodiscard]] const ChunkSums& sums() const noexcept { return sums_; }
  [[nodiscard]] std::uint32_t next_chunk() const noexcept;
  /// Chunks before next_chunk() that are damaged, or were and have not been read again.
  [[nodiscard]] std::vector<std::uint32_t> damaged() const;
  /// Why it could not work; not that it was stopped.
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  static constexpr std::uint64_t slice_bytes_min = 4 << 20;
  static constexpr std::uint64_t slice_bytes_max = 64 << 20;

  void divide(unsigned threads);
  [[nodiscard]] std::optional<std::size_t> take();
  void give(std::size_t slice, ChunksRead read);
  void fail(const Error& error);

  CheckContext context_;
  std::uint32_t first_;
  std::size_t again_;               // slices of one chunk that was damaged
  std::vector<ChunkRange> slices_;  // those first

  std::mutex mutex_;  // guards what follows
  std::size_t taken_ = 0;
  std::size_t merged_ = 0;
  std::map<std::size_t, ChunksRead> ahead_;  // done, and one before them is not
  ChunkSums sums_;
  std::vector<std::uint32_t> damaged_;
  std::optional<Error> error_;
};

}  // namespace sluice::engine
