#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/job.h"
#include "sluice/repository.h"
#include "sluice/result.h"

namespace sluice {

struct HistoryOptions {
  RepositoryPlace repository;
  std::string instance;
  std::string key;                      ///< Any bytes.
  std::optional<std::uint64_t> db;      ///< None: in each backup the first that has the key.
  std::optional<std::int64_t> from_ms;  ///< Of backups: started at or after, Unix milliseconds.
  std::optional<std::int64_t> to_ms;    ///< Started at or before.
  IoBackend io = IoBackend::automatic;
};

/// A key in one backup.
struct KeyState {
  std::string id;  ///< Of the backup.
  std::int64_t started_at_ms = 0;
  bool present = false;
  std::uint64_t db = 0;           ///< Of a key that is present. So are the next three.
  std::string type;               ///< As in JSON lines.
  std::uint64_t value_bytes = 0;  ///< Serialised.
  std::optional<std::int64_t> expire_at_ms;
  /// Whether a client would see another key than in the state before; that of the first is true.
  bool changed = false;
  /// Set when the backup, or what of it holds the key, cannot be read: then nothing else is known,
  /// and what follows is compared with the state before.
  std::optional<std::string> error;
};

/// What became of a key, backup by backup of an instance, oldest first. Of backups in canonical
/// layout only the run of the key is read, and not even that when it is the same as before; others
/// are read up to the key.
///
/// Errors:  "not_found" when the instance has no backups in that time; what keeps the repository
///          from being read.
/// Memory:  about 20 MiB. Threads: blocks the calling thread.
[[nodiscard]] Result<std::vector<KeyState>> history(const HistoryOptions& options,
                                                    const JobContext& job);

[[nodiscard]] std::string to_json(const std::vector<KeyState>& states);

}  // namespace sluice
