#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/result.h"

namespace sluice {

/// How far a check goes; each level holds those before it.
enum class VerifyLevel : std::uint8_t {
  list,     ///< HEAD, manifests, and that the packs are there with their sizes.
  stored,   ///< Every byte of every file, against the checksums. Needs no key.
  decoded,  ///< Every chunk: decompressed, deltas applied, its identity computed.
  parsed,   ///< The records: framed, counted, in order, the pieces of long values in their places.
  digest,   ///< The values: decoded, and the digest of the dataset.
};
inline constexpr std::size_t verify_level_count = 5;

[[nodiscard]] std::string_view to_string(VerifyLevel level) noexcept;
[[nodiscard]] std::optional<VerifyLevel> parse_verify_level(std::string_view text) noexcept;

struct VerifyOptions {
  static constexpr unsigned threads_max = 4;

  RepositoryPlace repository;
  std::vector<std::string> backups = {};  ///< As for show(); empty: all.
  IoBackend io = IoBackend::automatic;
  VerifyLevel level = VerifyLevel::digest;
  /// Goes on where a check of the same level was stopped.
  bool resume = false;
  /// Passes over backups that were found good at this level, or a deeper one, no longer ago.
  std::optional<std::int64_t> max_age_ms = {};
  /// Writes an RDB of all that is good to this file. One backup, level decoded or deeper.
  std::string salvage = {};
  unsigned threads = 0;   ///< That do the work; 0: one for each CPU, threads_max at most.
  std::string tool = {};  ///< Name and version of the program, for what is left beside the backup.
};

/// A place in the repository that is damaged, and what is lost by it.
struct VerifyDamage {
  std::string object;                   ///< Path of the file, below the repository.
  std::optional<std::uint64_t> offset;  ///< Of the blob in it.
  std::optional<std::uint32_t> chunk;   ///< Ordinal in the backup.
  std::string what;  ///< "run", "fragment", "head", "tail", "stream"; empty without a chunk.
  std::optional<std::uint64_t> db;
  /// Of a run: its first key, and that of the next run in the same database. Of a fragment: the key
  /// whose value it is a piece of. Escaped, cut at 64 bytes.
  std::optional<std::string> first_key;
  std::optional<std::string> next_key;
  std::optional<std::uint64_t>
      first_record;                  ///< In layout stream: its index, and `keys` from there.
  std::uint64_t keys = 0;            ///< That are lost, or incomplete.
  std::vector<std::string> backups;  ///< Ids of the other backups that need what is here.
};

/// What was saved of a damaged backup.
struct Salvaged {
  std::string file;
  std::uint64_t keys = 0;
  std::uint64_t lost_keys = 0;
};

/// What verify() found in one backup.
struct VerifyResult {
  static constexpr std::size_t problems_max = 100;
  static constexpr std::size_t damage_max = 1000;

  std::string id;
  std::string instance;
  VerifyLevel level = VerifyLevel::digest;
  bool ok = false;
  /// Nothing was read: when it was last found good is no longer ago than was asked for.
  bool skipped = false;
  bool resumed = false;  ///< Some of it was read by the check that was stopped.
  std::uint64_t chunks = 0;
  std::uint64_t stored_bytes = 0;     ///< Of packs, read and checked.
  std::uint64_t raw_bytes = 0;        ///< Of chunks, decoded and checked.
  std::uint64_t keys = 0;             ///< Parsed.
  std::optional<std::string> digest;  ///< As computed now.
  std::vector<std::string> problems;  ///< One line each; the first problems_max.
  std::uint64_t problem_count = 0;
  std::vector<VerifyDamage> damage;  ///< The first damage_max.
  std::uint64_t damage_count = 0;
  std::optional<Salvaged> salvaged;
  std::int64_t finished_at_ms = 0;
  double seconds = 0;
};

/// Checks backups and says what of them is damaged: object, chunk, keys, and the other backups that
/// it touches. A damaged backup is a result, not an error.
///
/// What was found is left beside each backup, for list() and for whoever takes the next one; also
/// how far it came when it is stopped. That is no error when it cannot be written, but a notice.
/// Memory:   some 40 MiB a thread, and the manifest.
/// Errors:   "not_found", "cancelled"; what keeps the repository from being opened; for a salvage
///           what keeps its file from being written.
[[nodiscard]] Result<std::vector<VerifyResult>> verify(const VerifyOptions& options,
                                                       const JobContext& job);

[[nodiscard]] std::string to_json(const std::vector<VerifyResult>& results);

}  // namespace sluice
