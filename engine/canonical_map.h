#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/label_order.h"
#include "rdb/digest128.h"
#include "sluice/result.h"
#include "storage/backup.h"
#include "storage/format.h"

namespace sluice::engine {

/// What the three words of a run's tag hold.
struct RunTag {
  static constexpr unsigned db_bits = 24;  // above any DB index that the parser accepts

  std::uint32_t db = 0;
  std::uint32_t records = 0;
  bool has_digest = true;  ///< False when a value of it cannot be decoded.
  rdb::Digest128 digest;   ///< Sum of the digest terms of its records.

  [[nodiscard]] storage::ChunkTag to_words() const noexcept;
  [[nodiscard]] static RunTag of(const storage::ChunkTag& words) noexcept;
};

/// Whether a label may be less than a whole key: nothing is known then of what follows it.
[[nodiscard]] inline bool is_cut(Label label) noexcept {
  return label.size() >= storage::format::label_bytes_max;
}

/// Which preamble a chunk is a piece of: the first word of its tag.
enum class PreamblePart : std::uint8_t { head = 0, tail = 1 };

/// Chunks [first, end) of a backup.
struct ChunkRange {
  std::uint32_t first = 0;
  std::uint32_t end = 0;

  [[nodiscard]] std::uint32_t size() const noexcept { return end - first; }
};

/// The chunks of a backup in canonical layout, by what they hold.
///
///     head preamble*, run*, fragment*, tail preamble*
///
/// Memory:   24 bytes a fragment. Lifetime: `stored` must outlive it.
class CanonicalMap {
 public:
  /// Errors: "corrupt" unless the chunks are in that order, the runs ascending.
  [[nodiscard]] static Result<CanonicalMap> of(const storage::Backup& stored);

  [[nodiscard]] ChunkRange head() const noexcept { return head_; }
  [[nodiscard]] ChunkRange runs() const noexcept { return runs_; }
  [[nodiscard]] ChunkRange fragments() const noexcept { return fragments_; }
  [[nodiscard]] ChunkRange tail() const noexcept { return tail_; }
  [[nodiscard]] RunTag run(std::uint32_t ordinal) const noexcept {
    return RunTag::of(stored_->chunks[ordinal].tag);
  }
  [[nodiscard]] std::span<const std::byte> label(std::uint32_t ordinal) const {
    return stored_->label(ordinal);
  }

  /// The run that holds `label` in `db` if any does: the last one that begins at or before it.
  [[nodiscard]] std::optional<std::uint32_t> find_run(std::uint64_t db,
                                                      std::span<const std::byte> label) const;
  /// Runs of `db`; empty when it has none.
  [[nodiscard]] ChunkRange runs_of(std::uint64_t db) const;
  /// DB indexes that have runs, ascending.
  [[nodiscard]] std::vector<std::uint64_t> databases() const;
  /// The chunk with this identity (the first half of it counts) among the fragments.
  [[nodiscard]] std::optional<std::uint32_t> find_fragment(
      std::span<const std::byte> identity) const;

 private:
  explicit CanonicalMap(const storage::Backup& stored) : stored_(&stored) {}
  [[nodiscard]] Result<void> divide();
  [[nodiscard]] bool runs_ascend() const;

  const storage::Backup* stored_;
  ChunkRange head_;
  ChunkRange runs_;
  ChunkRange fragments_;
  ChunkRange tail_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_identity_;  // by its first 8 bytes
};

}  // namespace sluice::engine
