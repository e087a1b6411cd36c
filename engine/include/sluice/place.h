#pragma once

#include <string>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/server.h"

namespace sluice {

/// Where a dataset is read from: a live server, an RDB file or a backup.
struct Place {
  /// Server URI; path of an RDB file that exists, "file://…" or "-"; else a backup: its id, a
  /// unique prefix of it, LATEST, INSTANCE@LATEST or INSTANCE@<time>.
  std::string name;
  ServerAddress server;        ///< Used when `name` is a URI; `server.uri` is ignored.
  RepositoryPlace repository;  ///< Used when `name` is a backup.
  IoBackend io = IoBackend::automatic;
};

}  // namespace sluice
