#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::engine {

/// Where a chunk of a stream-layout backup begins: what its storage tag holds.
struct ChunkStart {
  std::uint64_t record = 0;    ///< Records completed before its first byte.
  std::uint64_t db = 0;        ///< DB index selected there.
  bool inside_record = false;  ///< A record began before it and goes on.

  friend bool operator==(const ChunkStart&, const ChunkStart&) = default;
};

/// Decides where a byte stream is cut into chunks, from the record borders in it: at the first
/// border past the target size; where the next border is too far, at the last one past the minimum,
/// or, inside a long value, at the maximum size. The cuts do not depend on how the stream is fed.
///
/// Positions are stream offsets in bytes.
class ChunkCutter {
 public:
  static constexpr std::uint64_t target_bytes = 256 << 10;
  static constexpr std::uint64_t min_bytes = 64 << 10;
  static constexpr std::uint64_t max_bytes = 1 << 20;

  /// A chunk that is complete: [begin, end) of the stream.
  struct Chunk {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    ChunkStart start;

    friend bool operator==(const Chunk&, const Chunk&) = default;
  };

  /// A record ends at `offset`; `records` are complete now, `db` is selected.
  void on_border(std::uint64_t offset, std::uint64_t records, std::uint64_t db);
  /// The stream has come to `offset`, wherever that is.
  void on_progress(std::uint64_t offset);
  /// The stream ends at `offset`: the rest is the last chunk.
  void on_end(std::uint64_t offset);

  /// Chunks complete since the last clear(), in order.
  [[nodiscard]] const std::vector<Chunk>& complete() const noexcept { return complete_; }
  void clear() { complete_.clear(); }

 private:
  struct Border {
    std::uint64_t offset = 0;
    ChunkStart start;
  };

  /// Makes the current chunk no longer than max_bytes, if the stream has gone to `offset`.
  void cut_long(std::uint64_t offset);
  void cut_at(const Border& border);

  Border begin_;        // of the current chunk
  Border last_border_;  // the newest record border
  std::vector<Chunk> complete_;
};

}  // namespace sluice::engine
