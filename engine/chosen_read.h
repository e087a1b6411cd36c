#pragma once

#include <cstdint>
#include <functional>

#include "engine/filter_stream.h"
#include "engine/repository_access.h"
#include "rdb/parser.h"
#include "sluice/job.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

/// What was read of a backup, and what was not. keys read + unread = all.
struct ChosenRead {
  std::uint64_t unread = 0;        ///< Keys of runs that cannot hold a chosen key.
  std::uint64_t runs_skipped = 0;  ///< These runs.
  std::uint64_t chunks_read = 0;
};

/// Reads of a backup what the filter's choice needs, and has `parser`, whose handler the filter is,
/// parse it to the end. In canonical layout runs that cannot hold a chosen key are not read, nor
/// long values that are not chosen; layout stream is read to its end. `on_chunk` may refuse, and
/// may be empty.
///
/// Errors: as read_back(); the filter's own.
[[nodiscard]] Result<ChosenRead> read_chosen(const storage::Repository& repository,
                                             const OpenBackup& backup, FilterStream& filter,
                                             rdb::Parser& parser, const JobContext& job,
                                             const std::function<Result<void>()>& on_chunk);

}  // namespace sluice::engine
