#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "engine/repository_access.h"
#include "rdb/parser.h"
#include "sluice/job.h"
#include "sluice/result.h"

namespace sluice::engine {

/// Whether a restore of the backup can begin: its layout is known here, and the first chunk of each
/// of its packs can be read. Errors: as for read_back().
[[nodiscard]] Result<void> probe(const storage::Repository& repository, const OpenBackup& backup);

/// Takes the bytes of an RDB in order; an error ends the reading and is returned.
using RdbSink = std::function<Result<void>(std::span<const std::byte>)>;

/// Reads a backup's RDB back from its chunks: as it was received (layout stream), or made anew
/// (canonical). Errors: a chunk that cannot be read (named), the sink's, "cancelled".
[[nodiscard]] Result<void> read_rdb(const storage::Repository& repository, const OpenBackup& backup,
                                    const RdbSink& sink, const JobContext& job);

/// Feeds a stretch of a backup's RDB; `what` names the backup in messages. Errors: what the parser
/// finds; "corrupt" when the stretch goes on after the end.
[[nodiscard]] Result<void> feed_parser(rdb::Parser& parser, std::span<const std::byte> bytes,
                                       const std::string& what);

/// The same as read_rdb(), and has `parser` parse it to the end. `on_chunk` is called after each
/// chunk, may refuse, and may be empty.
///
/// Errors: a chunk that cannot be read (named), what the parser finds, "cancelled".
[[nodiscard]] Result<void> read_back(const storage::Repository& repository,
                                     const OpenBackup& backup, rdb::Parser& parser,
                                     const JobContext& job,
                                     const std::function<Result<void>()>& on_chunk);

}  // namespace sluice::engine
