#include "service/policy_store.h"

namespace sluice::service {

std::shared_ptr<const Config> PolicyStore::config() const {
  const std::lock_guard guard(mutex_);
  return config_;
}

void PolicyStore::set_config(std::shared_ptr<const Config> config) {
  const std::lock_guard guard(mutex_);
  config_ = std::move(config);
}

EffectivePolicy PolicyStore::of(const InstanceEntry& instance) const {
  const auto now = config();
  {
    Database::Reading reading(database_);
    auto set = reading.statement("SELECT policy FROM policies WHERE instance = ?");
    set.bind(std::string_view(instance.name));
    if (set.step()) {
      auto policy = policy_from_json(set.text(0), now->time_zone);
      if (policy) return {.policy = *std::move(policy), .source = "console"};
    }
  }
  const Policy* policy = now->policy(instance.policy);
  if (policy == nullptr) return {};
  return {.policy = *policy, .source = "file"};
}

void PolicyStore::set(const std::string& instance, const Policy& policy) {
  Database::Writing writing(database_);
  writing.statement("INSERT OR REPLACE INTO policies(instance, policy) VALUES(?, ?)")
      .bind(std::string_view(instance))
      .bind(std::string_view(to_json(policy)))
      .run();
  writing.commit();
}

void PolicyStore::reset(const std::string& instance) {
  Database::Writing writing(database_);
  writing.statement("DELETE FROM policies WHERE instance = ?")
      .bind(std::string_view(instance))
      .run();
  writing.commit();
}

}  // namespace sluice::service
