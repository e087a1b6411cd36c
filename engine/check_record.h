#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/chunk_sums.h"
#include "sluice/backup.h"
#include "sluice/result.h"
#include "sluice/verify.h"
#include "storage/repository.h"

namespace sluice::engine {

/// Where a check of a backup was stopped.
struct CheckProgress {
  static constexpr std::size_t damaged_max = 1000;

  VerifyLevel level{};
  std::string manifest;  ///< Digest of the manifest that was checked, in hex.
  /// Chunks before this one were read, and come to `sums` but for the damaged ones.
  std::uint32_t next_chunk = 0;
  std::vector<std::uint32_t> damaged;  ///< Of those chunks; damaged_max at most.
  ChunkSums sums;
  /// Positions of packs that were read and are sound: [first, end), ascending.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> packs;

  [[nodiscard]] bool has_pack(std::uint32_t position) const noexcept;
  /// Precondition: greater than those before.
  void add_pack(std::uint32_t position);

  friend bool operator==(const CheckProgress&, const CheckProgress&) = default;
};

/// What checks of a backup have found, as it is kept beside it (docs/repository-format.md,
/// CHECKED).
struct CheckRecord {
  static constexpr int version = 1;

  /// A check that found something, unless one as deep has found nothing since.
  struct Bad {
    VerifyLevel level{};
    std::int64_t at_ms = 0;
    std::uint64_t problems = 0;
    bool data = false;  ///< Something of the dataset is damaged; else only what is there twice.

    friend bool operator==(const Bad&, const Bad&) = default;
  };

  std::string tool;                                                        ///< That wrote it.
  std::array<std::optional<std::int64_t>, verify_level_count> good_at_ms;  ///< By level.
  std::optional<Bad> bad;
  std::optional<CheckProgress> progress;

  /// When it was last found good at `level` or deeper; nothing while it is bad.
  [[nodiscard]] std::optional<std::int64_t> good_since(VerifyLevel level) const noexcept;
  /// What a person is shown of it.
  [[nodiscard]] std::optional<LastCheck> last() const;

  /// A check went to its end.
  void note_good(VerifyLevel level, std::int64_t at_ms);
  void note_bad(const Bad& found);

  friend bool operator==(const CheckRecord&, const CheckRecord&) = default;
};

[[nodiscard]] std::string encode(const CheckRecord& record);
/// Errors: "corrupt", "unsupported_format".
[[nodiscard]] Result<CheckRecord> decode_check_record(const std::string& text,
                                                      const std::string& object);

/// That of a backup; an empty one when there is none. Errors: one that cannot be read.
[[nodiscard]] Result<CheckRecord> load_check_record(const storage::Repository& repository,
                                                    const storage::BackupKey& key);

}  // namespace sluice::engine
