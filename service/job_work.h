#pragma once

#include <cstdint>
#include <string>

#include "service/catalog_cache.h"
#include "service/clone_store.h"
#include "service/database.h"
#include "service/drill_store.h"
#include "service/job.h"
#include "service/job_store.h"
#include "service/policy_store.h"
#include "sluice/job.h"

namespace sluice::service {

/// A restore as it is planned, and then done: the options of both jobs.
struct RestoreRequest {
  std::string backup = {};
  std::string instance = {};  ///< Whose server is written to.
  bool flush = false;
  std::string on_conflict = "refuse";
  std::vector<std::string> match = {};  ///< Globs of keys; none: all.
};
[[nodiscard]] std::string to_json(const RestoreRequest& request);
[[nodiscard]] RestoreRequest restore_request_of(const std::string& options);

/// Does jobs: joins the engine with what the service knows. Threads: any number at once.
class JobWork {
 public:
  JobWork(Database& database, PolicyStore& policies, CatalogCache& catalog)
      : database_(database),
        policies_(policies),
        catalog_(catalog),
        clones_(database),
        drills_(database) {}

  [[nodiscard]] JobOutcome operator()(const Job& job, const JobContext& context);
  /// An estimate of what a job takes, bytes.
  [[nodiscard]] std::uint64_t memory_of(const Job& job) const;
  /// Ends servers that jobs had started before the service was killed.
  void take_back_left();

 private:
  struct Places;

  JobOutcome backup(const Job& job, const Places& places, const JobContext& context);
  JobOutcome verify(const Job& job, const Places& places, const JobContext& context);
  JobOutcome prune(const Job& job, const Places& places, const JobContext& context);
  JobOutcome remove(const Job& job, const Places& places, const JobContext& context);
  JobOutcome analyze(const Job& job, const Places& places, const JobContext& context);
  JobOutcome diff(const Job& job, const Places& places, const JobContext& context);
  JobOutcome restore(const Job& job, const Places& places, const JobContext& context);
  JobOutcome clone(const Job& job, const Places& places, const JobContext& context);
  JobOutcome promote(const Job& job, const Places& places, const JobContext& context);
  JobOutcome drill(const Job& job, const Places& places, const JobContext& context);

  [[nodiscard]] std::uint64_t raw_bytes_of(const Job& job) const;

  Database& database_;
  PolicyStore& policies_;
  CatalogCache& catalog_;
  CloneStore clones_;
  DrillStore drills_;
};

}  // namespace sluice::service
