// What there is: the service, instances and their policies.

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "service/api.h"
#include "service/api_json.h"
#include "service/json.h"
#include "service/text.h"
#include "sluice/catalog.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

json::object target_json(const TargetEntry& target) {
  json::object object{{"name", target.name}, {"kind", "server"}, {"uri", nullptr}};
  if (target.how.starts_with("local")) object["kind"] = "local";
  if (target.how.starts_with("exec")) object["kind"] = "exec";
  if (target.address) object["uri"] = target.shown_uri;
  return object;
}

HttpResponse info(Call& call) {
  const auto config = call.core.config();
  json::array repositories;
  for (const RepositoryEntry& repository : config->repositories) {
    const auto totals = call.core.catalog.totals_of_repository(repository.name);
    repositories.push_back(json::object{{"name", repository.name},
                                        {"path", repository.place.path},
                                        {"encrypted", repository.place.key.is_given()},
                                        {"backups", totals.backups},
                                        {"stored_bytes", totals.stored_bytes}});
  }
  json::array targets;
  for (const TargetEntry& target : config->targets) targets.push_back(target_json(target));
  json::object answer{{"version", call.core.version()},
                      {"time", format_time(now_ms())},
                      {"time_zone", config->time_zone},
                      {"repositories", std::move(repositories)},
                      {"targets", std::move(targets)},
                      {"drill_target", nullptr},
                      {"jobs_running", call.core.runner.load().running},
                      {"jobs_max", config->jobs},
                      {"memory_bytes", config->memory_bytes}};
  if (!config->drill_target.empty()) answer["drill_target"] = config->drill_target;
  return json_response(answer);
}

HttpResponse list_instances(Call& call) {
  json::array instances;
  for (const InstanceEntry& instance : call.core.config()->instances)
    instances.push_back(instance_json(call.core, instance));
  return json_response({{"instances", std::move(instances)}});
}

/// Calls `answer` with the instance that the path names.
template <class Answer>
HttpResponse with_instance(Call& call, Answer answer) {
  const auto config = call.core.config();
  const InstanceEntry* instance = config->instance(call.part("name"));
  if (instance == nullptr) return no_such("instance", call.part("name"));
  return answer(*instance);
}

HttpResponse get_instance(Call& call) {
  return with_instance(call, [&call](const InstanceEntry& instance) {
    return json_response(instance_json(call.core, instance));
  });
}

HttpResponse get_policy(Call& call) {
  return with_instance(call, [&call](const InstanceEntry& instance) {
    return json_response(policy_answer(call.core, instance));
  });
}

HttpResponse set_policy(Call& call) {
  return with_instance(call, [&call](const InstanceEntry& instance) {
    auto policy = policy_from_json(json::serialize(call.body), call.core.config()->time_zone);
    if (!policy) return error_response(422, policy.error());
    policy->name = "console";
    call.core.set_policy(instance.name, *policy);
    call.detail = describe(policy->schedule);
    return json_response(policy_answer(call.core, instance));
  });
}

HttpResponse reset_policy(Call& call) {
  return with_instance(call, [&call](const InstanceEntry& instance) {
    call.core.reset_policy(instance.name);
    call.detail = "back to the configuration's";
    return json_response(policy_answer(call.core, instance));
  });
}

HttpResponse create_backup(Call& call) {
  return with_instance(call, [&call](const InstanceEntry& instance) {
    return queue(
        call,
        {.type = JobType::backup, .instance = instance.name, .repository = instance.repository});
  });
}

HttpResponse create_drill(Call& call) {
  return with_instance(call, [&call](const InstanceEntry& instance) {
    return queue(
        call,
        {.type = JobType::drill, .instance = instance.name, .repository = instance.repository});
  });
}

}  // namespace

void add_instance_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/info", Role::viewer, info});
  routes.push_back({"GET", "/instances", Role::viewer, list_instances});
  routes.push_back({"GET", "/instances/{name}", Role::viewer, get_instance});
  routes.push_back({"GET", "/instances/{name}/policy", Role::viewer, get_policy});
  routes.push_back({"PUT", "/instances/{name}/policy", Role::admin, set_policy, "policy.set"});
  routes.push_back(
      {"DELETE", "/instances/{name}/policy", Role::admin, reset_policy, "policy.reset"});
  routes.push_back(
      {"POST", "/instances/{name}/backups", Role::operator_, create_backup, "backup.create"});
  routes.push_back(
      {"POST", "/instances/{name}/drills", Role::operator_, create_drill, "drill.run"});
}

}  // namespace sluice::service
