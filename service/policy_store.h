#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "service/config.h"
#include "service/database.h"

namespace sluice::service {

/// The policy of an instance and where it comes from.
struct EffectivePolicy {
  std::optional<Policy> policy = {};
  std::string source = "none";  ///< "file", "console", "none".
};

/// The configuration as it was read last, and what the console set over it. Threads: any.
class PolicyStore {
 public:
  PolicyStore(Database& database, std::shared_ptr<const Config> config);

  [[nodiscard]] std::shared_ptr<const Config> config() const;
  void set_config(std::shared_ptr<const Config> config);

  /// What the console set, else what the file says.
  [[nodiscard]] EffectivePolicy of(const InstanceEntry& instance) const;
  void set(const std::string& instance, const Policy& policy);
  /// Back to the file's.
  void reset(const std::string& instance);

 private:
  Database& database_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Config> config_;
  std::map<std::string, Policy> set_;  ///< What the console set, as the database has it.
};

}  // namespace sluice::service
