#include "service/policy_store.h"

namespace sluice::service {

PolicyStore::PolicyStore(Database& database, std::shared_ptr<const Config> config)
    : database_(database), config_(std::move(config)) {
  Database::Reading reading(database_);
  auto rows = reading.statement("SELECT instance, policy FROM policies");
  while (rows.step()) {
    auto policy = policy_from_json(rows.text(1), config_->time_zone);
    if (policy) set_.emplace(rows.text(0), *std::move(policy));
  }
}

std::shared_ptr<const Config> PolicyStore::config() const {
  const std::lock_guard guard(mutex_);
  return config_;
}

void PolicyStore::set_config(std::shared_ptr<const Config> config) {
  const std::lock_guard guard(mutex_);
  config_ = std::move(config);
}

EffectivePolicy PolicyStore::of(const InstanceEntry& instance) const {
  const std::lock_guard guard(mutex_);
  const auto set = set_.find(instance.name);
  if (set != set_.end()) return {.policy = set->second, .source = "console"};
  const Policy* policy = config_->policy(instance.policy);
  if (policy == nullptr) return {};
  return {.policy = *policy, .source = "file"};
}

void PolicyStore::set(const std::string& instance, const Policy& policy) {
  Database::Writing writing(database_);
  writing.statement("INSERT OR REPLACE INTO policies(instance, policy) VALUES(?, ?)")
      .bind(instance)
      .bind(to_json(policy))
      .run();
  writing.commit();
  const std::lock_guard guard(mutex_);
  set_[instance] = policy;
}

void PolicyStore::reset(const std::string& instance) {
  Database::Writing writing(database_);
  writing.statement("DELETE FROM policies WHERE instance = ?").bind(instance).run();
  writing.commit();
  const std::lock_guard guard(mutex_);
  set_.erase(instance);
}

}  // namespace sluice::service
