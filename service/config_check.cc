#include "service/config_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "service/nearest_name.h"

namespace sluice::service {
namespace {

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

class Check {
 public:
  Check(Config& config, ConfigReading& reading, const LineOf& line_of)
      : config_(config), reading_(reading), line_of_(line_of) {}

  void run() {
    if (config_.repositories.empty())
      reading_.tell(1, "there is no repository", "write [repositories.main] with path = \"…\"");
    for (InstanceEntry& instance : config_.instances) {
      check_repository(instance);
      check_policy(instance);
    }
    check_targets();
    check_drills();
    check_directories();
  }

 private:
  void tell(std::string_view table, std::string_view name, std::string_view key,
            const std::string& what, std::string instead) {
    reading_.tell(line_of_(table, name, key), fmt::format("[{}.{}] {}: {}", table, name, key, what),
                  std::move(instead));
  }

  void check_repository(InstanceEntry& instance) {
    const auto known = names_of(config_.repositories);
    if (known.empty()) return;
    if (instance.repository.empty() && known.size() == 1) instance.repository = known[0];
    if (instance.repository.empty()) {
      tell("instances", instance.name, "repository", "is missing, and there are several",
           name_advice("", known));
    } else if (config_.repository(instance.repository) == nullptr) {
      tell("instances", instance.name, "repository", "there is none of that name",
           name_advice(instance.repository, known));
    }
  }

  void check_policy(const InstanceEntry& instance) {
    if (instance.policy.empty() || config_.policy(instance.policy) != nullptr) return;
    const bool is_own =
        line_of_("instances", instance.name, "policy") != line_of_("instances", instance.name, "");
    tell(is_own ? "instances" : "groups", is_own ? instance.name : instance.group, "policy",
         "there is none of that name", name_advice(instance.policy, names_of(config_.policies)));
  }

  /// A clone replaces all that its target holds.
  void check_targets() {
    const auto place_of = [](const std::string& shown) {
      return shown.substr(std::max(shown.find('@') + 1, shown.find("://") + 3));
    };
    for (const TargetEntry& target : config_.targets) {
      if (target.shown_uri.empty()) continue;
      for (const InstanceEntry& instance : config_.instances) {
        if (place_of(instance.shown_uri) != place_of(target.shown_uri)) continue;
        tell(
            "targets", target.name, "uri",
            fmt::format("is the server of instance {}, which a clone would replace", instance.name),
            "name a server that may be overwritten");
      }
    }
  }

  void check_drills() {
    if (!config_.drill_target.empty()) {
      const TargetEntry* const target = config_.target(config_.drill_target);
      const std::size_t line = line_of_("service", "", "drill_target");
      if (target == nullptr) {
        reading_.tell(line, "[service] drill_target: there is no target of that name",
                      name_advice(config_.drill_target, names_of(config_.targets)));
      } else if (!target->how.starts_with("local")) {
        reading_.tell(line, "[service] drill_target: that target is no local one",
                      "name one with provide = \"local:/DIRECTORY\"");
      }
      return;
    }
    for (const Policy& policy : config_.policies) {
      if (!policy.drill) continue;
      tell("policies", policy.name, "drill", "there is nowhere to restore to",
           "write drill_target = \"TARGET\" in [service]");
    }
  }

  void check_directories() {
    const auto& all = config_.repositories;
    for (std::size_t i = 1; i < all.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (all[i].place.path != all[j].place.path || all[i].place.path.empty()) continue;
        tell("repositories", all[i].name, "path",
             fmt::format("is that of [repositories.{}]", all[j].name), "name another directory");
      }
    }
  }

  Config& config_;
  ConfigReading& reading_;
  const LineOf& line_of_;
};

}  // namespace

void check_config(Config& config, ConfigReading& reading, const LineOf& line_of) {
  Check(config, reading, line_of).run();
}

}  // namespace sluice::service
