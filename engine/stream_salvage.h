#pragma once

#include <cstdint>
#include <vector>

#include "engine/output_file.h"
#include "engine/salvage.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Chunks [first, end) of a backup in layout stream of which none is lost.
struct StreamStretch {
  std::uint32_t first = 0;  ///< Begins at the border of a record.
  std::uint32_t end = 0;
  /// The last chunk that begins at the border of a record: from there on nothing need be known of
  /// what comes before.
  std::uint32_t last_border = 0;
  bool is_cut = false;  ///< A record goes on in the chunk at `end`, which is lost.
};

/// In order. Chunks that are not lost but continue a record that began in one that is are in none.
[[nodiscard]] std::vector<StreamStretch> stretches_of(const storage::Backup& stored,
                                                      const std::vector<bool>& lost);

/// What salvage() does for layout stream. Gives the number of keys.
[[nodiscard]] Result<std::uint64_t> salvage_stream(const SalvageSetting& setting, OutputFile& file,
                                                   const JobContext& job);

}  // namespace sluice::engine
