#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/restore.h"
#include "sluice/result.h"

namespace sluice {

struct FeedOptions {
  RepositoryPlace repository;
  std::string backup;  ///< As for show().
  std::string listen;  ///< "HOST[:PORT]"; without a port any that is free.
  /// That replicas must know (masterauth). Absent: whoever can connect gets the data.
  std::optional<std::string> password;
  /// 6 to 14, or 80 for Valkey: a server of which version is to be served. None: that of the
  /// backup. A replica that is older than what it gets drops its own data before it finds out.
  std::optional<unsigned> rdb_version;
  bool once = false;  ///< Ends when one replica has loaded everything.
  /// A replica that takes or says nothing for longer is given up.
  std::chrono::milliseconds timeout{60'000};
  IoBackend io = IoBackend::automatic;
};

/// A replica that asked for the backup.
struct FedReplica {
  std::string address;  ///< "10.0.0.1:6379": where it listens, as it said.
  std::string version;  ///< Of a Valkey, which says it.
  std::uint64_t bytes = 0;
  bool complete = false;  ///< It has loaded and acknowledged all of it.
  double seconds = 0;     ///< Until it was complete, or was lost.
  std::string error;      ///< Why it is not complete.
};

struct FeedResult {
  static constexpr std::size_t replicas_max = 1000;

  std::string backup;
  std::string instance;
  std::string address;  ///< Where it listened.
  std::string dialect;  ///< "redis" or "valkey".
  unsigned rdb_version = 0;
  std::uint64_t bytes = 0;               ///< Of the RDB.
  Ledger total;                          ///< `written`: what each complete replica has got.
  std::vector<RestoreFailure> failures;  ///< What the version cannot hold; the first thousand.
  std::uint64_t failure_count = 0;
  std::vector<RdbLoss> losses;  ///< What it cannot hold of what is served; the first thousand.
  std::uint64_t loss_count = 0;
  std::vector<FedReplica> replicas;  ///< The first thousand, as they left or the job ended.
  std::uint64_t served = 0;          ///< Complete ones.
  std::uint64_t refused = 0;         ///< Connections: wrong passwords, or none that asked.
  double seconds = 0;
};

/// Serves a backup to every server that is told REPLICAOF `listen`, as its primary would, until the
/// job is asked to stop, which is no error here. Replicas stay attached until then, up to four of
/// them; others wait. Keys whose time had come when it began are left out.
///
/// Errors:  before it listens: no such backup, one that cannot be read, an address that cannot be
///          listened at, "bad_option".
/// Memory:  about 60 MiB for each replica that is loading.
/// Threads: blocks the calling thread; one more for each replica, and one for their connections.
[[nodiscard]] Result<FeedResult> feed(const FeedOptions& options, const JobContext& job);

[[nodiscard]] std::string to_json(const FeedResult& result);

}  // namespace sluice
