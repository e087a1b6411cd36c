#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "service/database.h"
#include "service/job.h"
#include "service/policy_store.h"

namespace sluice::service {

/// Makes jobs of policies when their time has come. What came due while nobody ran is made up for
/// once. Threads: one calls tick(); touch() any.
class Scheduler {
 public:
  struct Hooks {
    /// Errors: "busy" when one of that type is under way: then it is left out.
    std::function<Result<Job>(const NewJob&)> submit;
    /// The newest backup of an instance, for a check; none yet.
    std::function<std::optional<std::string>(const std::string& instance)> newest_backup;
    std::function<void(const InstanceEntry&, const std::string& what)> on_left_out;
  };
  Scheduler(Database& database, PolicyStore& policies, Hooks hooks)
      : database_(database), policies_(policies), hooks_(std::move(hooks)) {}

  void tick(std::int64_t now_ms);
  /// The policy of an instance was changed now: what it would have had done before is not made up
  /// for.
  void touch(const std::string& instance, std::int64_t now_ms);

 private:
  void look_at(const InstanceEntry& instance, JobType type, const Schedule& schedule,
               std::int64_t now_ms);
  void submit(const InstanceEntry& instance, JobType type, bool late);
  [[nodiscard]] std::optional<std::int64_t> handled(const std::string& instance, JobType type);
  void set_handled(const std::string& instance, JobType type, std::int64_t due_ms);

  Database& database_;
  PolicyStore& policies_;
  Hooks hooks_;
};

}  // namespace sluice::service
