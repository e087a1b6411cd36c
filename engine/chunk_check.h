#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "engine/canonical_map.h"
#include "engine/check_findings.h"
#include "engine/chunk_sums.h"
#include "engine/digest_reader.h"
#include "engine/fragment_list.h"
#include "engine/repository_access.h"
#include "engine/run_digest.h"
#include "engine/run_reader.h"
#include "sluice/result.h"
#include "sluice/verify.h"
#include "storage/chunk_reader.h"
#include "storage/identity.h"
#include "storage/repository.h"

namespace sluice::engine {

/// What those that check one backup have in common. All of it outlives them.
struct CheckContext {
  const storage::Repository* repository = nullptr;
  const OpenBackup* backup = nullptr;
  const CanonicalMap* map = nullptr;  ///< Null for layout stream.
  VerifyLevel level = VerifyLevel::digest;
  CheckFindings* findings = nullptr;
  std::stop_token stop;
  std::atomic<std::uint64_t>* bytes = nullptr;  ///< Raw, as they are done; for who watches.
  std::atomic<std::uint64_t>* keys = nullptr;

  /// "packs/…: chunk 12 at byte 345", for messages.
  [[nodiscard]] std::string place_of(std::uint32_t chunk) const;
  /// A finding about one chunk, its place filled in.
  [[nodiscard]] CheckFinding about(std::uint32_t chunk, std::string message) const;
};

/// Reads chunks and checks what they hold: the identity, and of runs, from level parsed on, the
/// records; at level digest the values, those in fragments too.
///
/// Memory:  that of a ChunkReader, of two once a long value is met, and of RunDigest.
/// Threads: one at a time; one for each thread.
class ChunkCheck {
 public:
  /// Errors: the archive's, when it cannot read at all.
  [[nodiscard]] static Result<std::unique_ptr<ChunkCheck>> open(const CheckContext& context);
  ChunkCheck(const CheckContext& context, std::unique_ptr<storage::ChunkReader> reader);

  /// Adds what the chunks come to. Those that are damaged are told of too.
  /// Errors: "cancelled" when it was stopped on the way; the archive's, as open().
  [[nodiscard]] Result<void> check(ChunkRange chunks, ChunksRead& read);

 private:
  bool check_chunk(std::uint32_t ordinal, ChunkSums& sums);
  bool check_run(const storage::ChunkView& chunk, ChunkSums& sums);
  bool check_records(const storage::ChunkView& chunk, RunReader& run, ChunkSums& sums);
  bool check_sum(std::uint32_t ordinal, const RunDigest::Sum& sum);
  bool check_labels(const storage::ChunkView& chunk, std::span<const std::byte> first,
                    std::span<const std::byte> last);
  bool check_record(const storage::ChunkView& chunk, const Record& record,
                    const RunContext& context);
  bool check_long_value(const storage::ChunkView& chunk, const Record& record,
                        const RunContext& context);
  /// The terms of the record, computed from its fragments; nullopt when one of them cannot be read,
  /// which is told where it is read as a chunk, or the value not be decoded.
  std::optional<rdb::Digest128> read_long_value(const Record& record, const RunContext& context);
  bool read_fragments();
  /// False, for those who say that all is well.
  bool tell(std::uint32_t chunk, std::string what, bool is_readable = true);

  CheckContext context_;
  std::unique_ptr<storage::ChunkReader> reader_;
  std::unique_ptr<storage::ChunkReader> side_reader_;  // of long values
  storage::Identifier identifier_;
  RunDigest digest_;
  DigestReader long_digest_;
  FragmentList list_;
  std::vector<std::uint32_t> ordinals_;  // of the fragments in the list
  std::optional<Error> error_;           // of what it works with
};

}  // namespace sluice::engine
