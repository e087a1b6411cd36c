#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "service/config.h"
#include "service/job.h"
#include "service/job_store.h"
#include "service/metrics_state.h"

namespace sluice::service {

class Core;

/// Notices what people should know: failures, backups that shrank, what is overdue. Tells it once.
/// Threads: any.
class Watch {
 public:
  explicit Watch(Core& core) : core_(core) {}

  /// A job is over; `again`: it will be tried again.
  void job_over(const Job& job, const JobOutcome& outcome, bool again);
  /// Looks for what should have happened by now.
  void look(std::int64_t now_ms);

  /// How everything is, for the metrics.
  [[nodiscard]] ServiceState state(std::int64_t now_ms);

 private:
  void backup_over(const Job& job, const JobOutcome& outcome, bool again);
  void tell(const std::string& name, const Job& job, const JobOutcome& outcome,
            std::string message);
  /// With what the job failed by.
  void tell_failure(const std::string& name, const Job& job, const JobOutcome& outcome);
  /// Tells what is overdue since then, unless that was told.
  void tell_overdue(const std::string& name, const InstanceEntry& instance, std::int64_t since_ms,
                    std::int64_t now_ms);
  [[nodiscard]] InstanceState state_of(const InstanceEntry& instance, std::int64_t now_ms);

  Core& core_;
};

/// Since when a drill is overdue by the policy; none when it is not.
[[nodiscard]] std::optional<std::int64_t> drill_overdue_since(Core& core,
                                                              const InstanceEntry& instance,
                                                              std::int64_t now_ms);

/// What the newest backup of an instance lacks, in words, when it is suspiciously smaller than the
/// one before.
[[nodiscard]] std::optional<std::string> shrunk(Core& core, const std::string& instance);

}  // namespace sluice::service
