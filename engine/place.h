#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "engine/manifest.h"
#include "engine/progress_meter.h"
#include "engine/repository_access.h"
#include "rdb/parser.h"
#include "sluice/backup.h"
#include "sluice/job.h"
#include "sluice/place.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

/// What is known of a place beside what its RDB says.
struct PlaceFacts {
  BackupSource source;               ///< For a backup, that of the backup.
  std::optional<Manifest> manifest;  ///< Of a backup.
};

/// Whether the place is a backup: neither a server nor a file that is there.
[[nodiscard]] bool is_backup(const Place& place);

/// A backup in its repository.
struct PlaceBackup {
  std::unique_ptr<storage::Repository> repository;
  OpenBackup backup;

  [[nodiscard]] bool is_canonical() const {
    return backup.manifest.layout == Manifest::layout_canonical;
  }
};

/// Finds and opens the backup that a place is. Errors: as resolve(), open_backup().
[[nodiscard]] Result<PlaceBackup> open_place(const Place& place);

/// Has `parser` parse the RDB of a place from its first byte to its end, reading it once. Reports
/// progress; `after_block` is called after every stretch of input, may refuse, and may be empty.
///
/// Errors: what keeps the place from being found or read, and what the parser refuses ("stopped"
///         when its handler did: the handler knows why), "cancelled".
[[nodiscard]] Result<PlaceFacts> read_place(const Place& place, rdb::Parser& parser,
                                            ProgressMeter& meter, const JobContext& job,
                                            const std::function<Result<void>()>& after_block = {});

/// The same for a backup that is open.
[[nodiscard]] Result<void> read_place(const PlaceBackup& place, rdb::Parser& parser,
                                      ProgressMeter& meter, const JobContext& job,
                                      const std::function<Result<void>()>& after_block = {});

}  // namespace sluice::engine
