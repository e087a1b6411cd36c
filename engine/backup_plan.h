#pragma once

#include <memory>
#include <string>

#include "engine/ingest.h"
#include "engine/parent_backup.h"
#include "engine/progress_meter.h"
#include "sluice/backup.h"
#include "sluice/result.h"
#include "storage/backup_writer.h"
#include "storage/chunk_codec.h"
#include "storage/repository.h"

namespace sluice::engine {

/// "lz4", "zstd", "zstd:LEVEL" or "none". Errors: "bad_option".
[[nodiscard]] Result<storage::Compression> parse_compression(const std::string& text);
/// As parse_compression() takes it, the level always told.
[[nodiscard]] std::string to_text(const storage::Compression& compression);

/// The backup that a new one of `instance` is stored against: the one that is named, else the
/// newest in canonical layout that is whole and that no check has found damaged. Null when there is
/// none, or none is wanted.
///
/// Errors: what keeps a named one from being found or used.
[[nodiscard]] Result<std::unique_ptr<ParentBackup>> choose_parent(
    const storage::Repository& repository, const std::string& instance,
    const BackupOptions& options, const ProgressMeter& meter);

}  // namespace sluice::engine
