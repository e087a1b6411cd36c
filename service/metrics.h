#pragma once

#include <prometheus/registry.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "service/metrics_state.h"

namespace sluice::service {

/// Counts what the service does, and writes it down for Prometheus. docs/metrics.md explains each.
/// Threads: any may call.
class Metrics {
 public:
  Metrics(const std::string& version, std::int64_t started_at_ms);
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  /// `type` and `state` as the API names them; `seconds` that it ran.
  void job_finished(std::string_view type, std::string_view state, double seconds);

  struct BackupEnd {
    std::string instance;
    bool ok = false;
    std::uint64_t bytes = 0;      ///< Of the RDB that was received.
    std::uint64_t new_bytes = 0;  ///< That it added to the repository.
    std::uint64_t keys = 0;
  };
  void backup_finished(const BackupEnd& end);
  /// `outcome`: "ok", "damaged" when it found something, "failed" when it came to no end.
  void verify_finished(const std::string& instance, std::string_view outcome);
  void drill_finished(const std::string& instance, bool ok);
  /// `type`: "restore", "clone" or "promote". `keys` that were written.
  void restore_finished(const std::string& instance, std::string_view type, bool ok,
                        std::uint64_t keys);

  /// `route`: pattern of a route, as "/backups/{id}", or "other": there must not be one for each
  /// address that somebody asks for.
  void request_finished(std::string_view method, std::string_view route, unsigned status,
                        double seconds);
  /// `outcome`: "ok", "refused" or "limited".
  void login_finished(std::string_view outcome);

  /// All of it in the text format 0.0.4.
  [[nodiscard]] std::string text(const ServiceState& state) const;

 private:
  struct Families;
  prometheus::Registry registry_;
  std::unique_ptr<Families> families_;
};

}  // namespace sluice::service
