#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "service/accounts.h"
#include "service/audit.h"
#include "service/catalog_cache.h"
#include "service/clone_store.h"
#include "service/config.h"
#include "service/database.h"
#include "service/drill_store.h"
#include "service/event_hub.h"
#include "service/job_runner.h"
#include "service/job_store.h"
#include "service/job_work.h"
#include "service/metrics.h"
#include "service/notifier.h"
#include "service/policy_store.h"
#include "service/scheduler.h"
#include "service/watch.h"

namespace sluice::service {

/// The service without the network: its state, its jobs, its clock. Threads: any may call.
class Core {
 public:
  using Log = std::function<void(std::string_view)>;

  Core(std::unique_ptr<Database> database, std::shared_ptr<const Config> config,
       std::string version, Log log);
  /// Cancels what runs and waits for it.
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  /// Clears what a service that was killed left, lists the repositories, and begins to work.
  void start();
  /// Takes over a configuration that was read anew.
  void reload(std::shared_ptr<const Config> config);
  /// Before start(): where bodies that come piece by piece live.
  void set_network(boost::asio::any_io_executor network) { network_ = std::move(network); }
  [[nodiscard]] const boost::asio::any_io_executor& network() const { return network_; }

  [[nodiscard]] std::shared_ptr<const Config> config() const { return policies.config(); }
  [[nodiscard]] const std::string& version() const { return version_; }
  void log(std::string_view line) const { log_(line); }

  /// Queues a job. Errors: "busy".
  [[nodiscard]] Result<Job> submit(const NewJob& job);
  /// Lists a repository, or an instance in it, anew; what goes wrong is logged.
  void refresh(const std::string& repository, const std::optional<std::string>& instance = {});
  void set_policy(const std::string& instance, const Policy& policy);
  void reset_policy(const std::string& instance);

  /// "automatic", "manual", or "unknown" for what the service did not take.
  [[nodiscard]] std::string origin_of(const std::string& backup);
  /// The newest analysis of a backup, JSON.
  [[nodiscard]] std::optional<std::string> analysis_of(const std::string& backup);
  /// When the instance came into the configuration, as far as is known.
  [[nodiscard]] std::optional<std::int64_t> first_seen(const std::string& instance);
  [[nodiscard]] std::string metrics_text();

  /// Logs an event, and tells whoever is to be told.
  void tell(const Event& event);
  /// Whether the newest of a kind of news is not the one of that time; it is from now on.
  [[nodiscard]] bool is_news(const std::string& kind, std::int64_t at_ms);
  /// Writes down that the file could not be read anew.
  void config_failed() { config_ok_ = false; }
  /// What of the state only this knows: configuration and notifications.
  void fill(ServiceState& state) const;

 private:
  std::unique_ptr<Database> database_;
  const std::string version_;
  const Log log_;
  boost::asio::any_io_executor network_;

 public:
  PolicyStore policies;
  CatalogCache catalog;
  JobStore jobs;
  CloneStore clones;
  DrillStore drills;
  Accounts accounts;
  Audit audit;
  EventHub events;
  Metrics metrics;

 private:
  /// Does a job. Who sees that it is over finds its backup listed.
  JobOutcome work(const Job& job, const JobContext& context);
  void on_finished(const Job& job, const JobOutcome& outcome);
  /// Queues another try of a job, if the policy has any left; whether it did.
  bool try_again(const Job& job, std::int64_t delay_ms);
  [[nodiscard]] Policy policy_of(const std::string& instance) const;
  void note_first_seen();
  void keep_time(const std::stop_token& stop);
  void refresh_all();

  Notifier notifier_;
  Watch watch_;
  JobWork work_;
  std::atomic<bool> refresh_wanted_ = false;
  std::atomic<bool> config_ok_ = true;
  std::atomic<std::int64_t> config_read_ms_;

 public:
  JobRunner runner;

 private:
  Scheduler scheduler_;
  std::jthread clock_;
};

}  // namespace sluice::service
