#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/canonical_map.h"
#include "engine/canonical_value.h"
#include "engine/parent_backup.h"
#include "engine/run_cutter.h"
#include "engine/run_delta.h"
#include "engine/run_digest.h"
#include "engine/run_reader.h"
#include "engine/run_writer.h"
#include "engine/sorted_batch.h"
#include "engine/stream_facts.h"
#include "sluice/result.h"
#include "storage/backup_writer.h"
#include "storage/chunk_codec.h"
#include "storage/chunk_reader.h"
#include "storage/repository.h"

namespace sluice::engine {

/// What RunEncoders of one backup have in common.
struct RunEncoderOptions {
  const storage::Repository* repository = nullptr;
  storage::BackupWriter* writer = nullptr;
  const ParentBackup* parent = nullptr;  ///< Null: everything is stored whole.
  storage::Compression compression;
  rdb::Header header;
  bool by_slot = false;
};

/// A run as it will be listed, and the long values in it, by the index of the record in the run.
struct RunDraft {
  storage::ChunkDraft chunk;
  std::vector<LongValue> long_values;
};

/// How runs were stored.
struct RunCounts {
  std::uint64_t unchanged = 0;  ///< The parent's chunk, as it is.
  std::uint64_t deltas = 0;
  std::uint64_t whole = 0;
  std::uint64_t undecodable = 0;     ///< Values without a digest term.
  std::uint64_t damaged_parent = 0;  ///< Runs stored whole since the parent's could not be read.
  std::string first_problem;         ///< Of the undecodable.
  std::string first_damage;          ///< Of the parent.

  void add(const RunCounts& other);
};

/// Stores sorted records as runs: cuts them, compares each run with that of the parent, and puts
/// what is new into the archive.
///
/// Where there is a parent its runs are the borders, so that a run is compared with one run. A run
/// that grew above the largest size is cut anew; one that shrank below half the smallest goes with
/// the next.
/// Memory:  about 20 MiB: two runs, codec scratch, and a ChunkReader for the parent.
/// Threads: one at a time; one encoder for each thread.
class RunEncoder {
 public:
  [[nodiscard]] static Result<std::unique_ptr<RunEncoder>> open(const RunEncoderOptions& options);
  explicit RunEncoder(const RunEncoderOptions& options);

  /// Stores a batch; what comes of it is added to `out`, in order.
  [[nodiscard]] Result<void> encode(const SortedBatch& batch, std::vector<RunDraft>& out);

  [[nodiscard]] const RunCounts& counts() const noexcept { return counts_; }

 private:
  /// Records [first, end) of a batch, and the run of the parent that they are to be compared with.
  struct Stretch {
    std::size_t first = 0;
    std::size_t end = 0;
    std::optional<std::uint32_t> parent;
    std::uint64_t bytes = 0;  // that they come to in a run, about
  };

  void divide();
  void add_stretch(Stretch stretch);
  /// The first record of the batch from `first` on whose label is not below `label`.
  [[nodiscard]] std::size_t lower_bound(std::size_t first, std::span<const std::byte> label) const;
  Result<void> cut_and_store(const SortedBatch& batch, const Stretch& stretch,
                             std::vector<RunDraft>& out);
  Result<void> store(const SortedBatch& batch, const Stretch& stretch, std::vector<RunDraft>& out);
  Result<std::span<const std::byte>> write_run(const SortedBatch& batch, const Stretch& stretch,
                                               RunDraft& draft);
  Result<void> note_long_value(const Record& record, std::size_t index, RunDraft& draft);
  Result<void> store_whole(std::span<const std::byte> raw, RunDraft& draft);
  /// False when it is to be stored whole.
  Result<bool> store_against_parent(std::span<const std::byte> raw, std::uint32_t parent,
                                    RunDraft& draft);
  /// `base`: the parent's run, which lies in its reader.
  Result<bool> store_delta(std::span<const std::byte> raw, storage::ChunkView base,
                           std::uint32_t parent, RunDraft& draft);
  /// The chunk of the parent that a delta goes on from, and how many of its deltas.
  struct Link {
    std::uint32_t parent = 0;
    std::size_t keep = 0;
    std::uint64_t chain_bytes = 0;  ///< Those take.
  };
  Result<bool> put_delta(const storage::DeltaBase& base, std::span<const std::byte> raw,
                         const Link& link, RunDraft& draft);
  void take_sum(const RunDigest::Sum& sum, RunDraft& draft);
  Result<void> digest_whole(std::span<const std::byte> raw, RunDraft& draft);
  void note_damage(const std::string& message);
  [[nodiscard]] RunContext context(std::uint64_t db) const noexcept;

  RunEncoderOptions options_;
  storage::BlobEncoder encoder_;
  std::unique_ptr<storage::ChunkReader> parent_reader_;
  RunCutter cutter_;
  RunWriter writer_;
  RunDelta delta_;
  RunDigest digest_;
  CanonicalValue canonical_;
  FragmentList fragments_;
  storage::DeltaOps ops_;
  RunPieces base_pieces_;
  std::vector<std::byte> value_;
  std::vector<Stretch> stretches_;
  std::vector<RunCutter::Item> items_;  // the batch
  std::vector<std::size_t> cuts_;
  std::uint64_t db_ = 0;  // of the batch
  RunCounts counts_;
};

/// How many of a chain's deltas to keep when one more comes, given what they take: all of them
/// while they are fewer than `count_max`; then those that are larger than all that come after them
/// together, so that what is merged is written again seldom. Exposed for tests.
[[nodiscard]] std::size_t deltas_to_keep(std::span<const std::uint32_t> stored_bytes,
                                         std::size_t count_max) noexcept;

}  // namespace sluice::engine
