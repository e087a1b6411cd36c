#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/database.h"
#include "service/job.h"

namespace sluice::service {

/// Which jobs are listed; newest first.
struct JobQuery {
  std::optional<std::string> instance = {};
  std::optional<std::string> state = {};
  std::optional<std::string> type = {};
  std::optional<std::int64_t> before = {};  ///< Ids below this.
  unsigned limit = 50;
};

/// How a job ended.
struct JobOutcome {
  std::string state = {};
  std::optional<std::string> error = {};   ///< JSON of an Error.
  std::optional<std::string> result = {};  ///< JSON.
  std::optional<std::string> backup = {};  ///< That it made, or was about.
  std::vector<std::string> notices = {};
};

/// The jobs in the service's state. Threads: any.
class JobStore {
 public:
  explicit JobStore(Database& database) : database_(database) {}

  /// Queues a job. Errors: "busy" when one of the same type waits or runs for the instance.
  [[nodiscard]] Result<Job> add(const NewJob& job);
  /// Whether it was queued still, and is running now.
  bool start(std::int64_t id, std::int64_t at_ms);
  void finish(std::int64_t id, std::int64_t at_ms, const JobOutcome& outcome);
  /// Cancels one that is queued; whether it was.
  bool cancel_queued(std::int64_t id, std::int64_t at_ms);

  [[nodiscard]] std::optional<Job> find(std::int64_t id);  ///< With its result.
  [[nodiscard]] std::vector<Job> list(const JobQuery& query);
  [[nodiscard]] std::vector<Job> queued();  ///< Oldest first.
  /// The newest job of an instance, of one type if asked for.
  [[nodiscard]] std::optional<Job> newest(const std::string& instance,
                                          std::optional<JobType> type = std::nullopt);
  /// Marks what ran when the service ended as interrupted, and gives it.
  std::vector<Job> interrupt_running(std::int64_t at_ms);
  /// Removes jobs that were over before then.
  void forget_before(std::int64_t at_ms);

 private:
  Database& database_;
};

}  // namespace sluice::service
