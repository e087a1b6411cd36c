#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/notifier.h"

namespace sluice::service {

/// What the metrics say of how things are, taken when they are asked for, so that it is right after
/// a restart, too. What is not known is left out. Times are Unix milliseconds.
struct InstanceState {
  std::string name;
  std::string group = {};
  std::string repository = {};
  std::uint64_t backups = 0;
  std::uint64_t damaged_backups = 0;
  std::uint64_t stored_bytes = 0;              ///< Of all its backups, as they lie.
  std::optional<std::int64_t> oldest_ms = {};  ///< Of what can be restored.
  std::optional<std::int64_t> newest_ms = {};
  std::optional<std::int64_t> next_backup_ms = {};
  bool failing = false;  ///< The last try failed.
  bool overdue = false;  ///< By its policy.
  bool shrunk = false;   ///< The newest one is suspiciously smaller than the one before.
  struct Backup {
    std::uint64_t keys = 0;
    std::uint64_t bytes = 0;      ///< Of the RDB.
    std::uint64_t new_bytes = 0;  ///< That it added to the repository.
    double seconds = 0;
  };
  std::optional<Backup> newest = {};
  struct Proof {
    std::int64_t at_ms = 0;
    bool ok = false;
    double seconds = 0;
  };
  std::optional<Proof> last_verify = {};
  std::optional<Proof> last_drill = {};
  bool drill_overdue = false;
};

struct RepositoryState {
  std::string name;
  std::uint64_t backups = 0;
  std::uint64_t stored_bytes = 0;
  std::optional<std::uint64_t> free_bytes = {};  ///< Of its file system.
};

struct ServiceState {
  std::vector<InstanceState> instances = {};
  std::vector<RepositoryState> repositories = {};
  unsigned jobs_running = 0;
  unsigned jobs_queued = 0;
  unsigned jobs_max = 0;
  std::uint64_t job_memory_bytes = 0;  ///< Set aside for jobs that run.
  std::uint64_t job_memory_limit_bytes = 0;
  bool config_ok = true;            ///< The last reading of the file went well.
  std::int64_t config_read_ms = 0;  ///< When one last did.
  Notifier::Counts notifications = {};
};

/// Metrics of this state, by name.
[[nodiscard]] std::vector<prometheus::MetricFamily> families_of(const ServiceState& state);

}  // namespace sluice::service
