#pragma once

#include <memory>
#include <string>
#include <utility>

#include "engine/place.h"
#include "sluice/job.h"
#include "sluice/place.h"
#include "sluice/repository.h"
#include "sluice/result.h"
#include "storage/repository.h"

namespace sluice::engine {

/// A repository in a folder of its own in $TMPDIR, for datasets that have to be looked at in the
/// order of their keys. Nobody else may read it, and it is gone when this is. It is encrypted with
/// a key that is nowhere but in this object, so nothing can be read of what a crash leaves.
///
/// Room:     about what the datasets take compressed.
/// Errors:   "scratch_failed"; the archive's.
/// Threads:  one at a time.
class ScratchRepository {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ScratchRepository>> make(IoBackend io);
  ScratchRepository(std::string folder, RepositoryKey key, IoBackend io)
      : folder_(std::move(folder)), place_(folder_ + "/repository", std::move(key)), io_(io) {}
  ScratchRepository(const ScratchRepository&) = delete;
  ScratchRepository& operator=(const ScratchRepository&) = delete;
  ~ScratchRepository();

  /// Takes the dataset of a server or a file, in whichever order that comes. Notices are dropped.
  /// Errors: as backup().
  [[nodiscard]] Result<PlaceBackup> take(const Place& place, const JobContext& job);
  /// Takes that of a backup in any layout, by key. Errors: what keeps it from being read.
  [[nodiscard]] Result<PlaceBackup> take(const PlaceBackup& place, const JobContext& job);

 private:
  /// A name for what is taken next.
  [[nodiscard]] std::string next_instance();
  [[nodiscard]] Result<PlaceBackup> open(const std::string& instance) const;

  std::string folder_;
  RepositoryPlace place_;
  IoBackend io_;
  unsigned taken_ = 0;
};

}  // namespace sluice::engine
