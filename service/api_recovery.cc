// Putting backups back: plan, restore, clone, promote; and the drills that show that it works.

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "service/api.h"
#include "service/api_backup.h"
#include "service/api_json.h"
#include "service/job_work.h"
#include "service/json.h"
#include "service/text.h"
#include "sluice/provision.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

/// A plan that is older may not be what would happen now.
constexpr std::int64_t plan_life_ms = 3600LL * 1000;

HttpResponse create_plan(Call& call) {
  return with_backup(call, text_of(call.body, "backup"), [&call](const BackupAtHand& at) {
    RestoreRequest wanted{.backup = at.entry.backup.id, .instance = text_of(call.body, "instance")};
    if (wanted.instance.empty()) wanted.instance = at.entry.backup.instance;
    if (call.core.config()->instance(wanted.instance) == nullptr)
      return no_such("instance", wanted.instance);
    wanted.flush = flag_of(call.body, "flush");
    wanted.match = texts_of(call.body, "match");
    if (call.body.contains("on_conflict")) wanted.on_conflict = text_of(call.body, "on_conflict");
    if (wanted.on_conflict != "refuse" && wanted.on_conflict != "replace" &&
        wanted.on_conflict != "skip")
      return error_response(422, "bad_option", "on_conflict is one of refuse, replace, skip");
    return queue(call, {.type = JobType::plan,
                        .instance = wanted.instance,
                        .repository = at.entry.repository,
                        .backup = wanted.backup,
                        .options = to_json(wanted)});
  });
}

std::optional<HttpResponse> bad_plan(const std::optional<Job>& plan) {
  if (!plan || plan->what.type != JobType::plan)
    return error_response(404, "not_found", "there is no such plan: make one first");
  if (plan->state != job_state::done)
    return error_response(409, "plan_not_done", "the plan has not come to a good end");
  if (now_ms() - plan->finished_at_ms.value_or(0) > plan_life_ms) {
    return error_response(409, "plan_too_old",
                          "the plan is older than an hour: make it anew, the instance may have "
                          "changed");
  }
  return std::nullopt;
}

HttpResponse create_restore(Call& call) {
  const auto plan = call.core.jobs.find(number_of(call.body, "plan").value_or(0));
  if (auto bad = bad_plan(plan)) return *std::move(bad);
  call.detail = plan->what.backup.value_or("") + " into " + plan->what.instance;
  if (text_of(call.body, "confirm") != plan->what.instance) {
    return error_response(422, "not_confirmed",
                          "type the name of the instance that is to be overwritten");
  }
  return queue(call, {.type = JobType::restore,
                      .instance = plan->what.instance,
                      .repository = plan->what.repository,
                      .backup = plan->what.backup,
                      .options = plan->what.options});
}

HttpResponse create_clone(Call& call) {
  return with_backup(call, text_of(call.body, "backup"), [&call](const BackupAtHand& at) {
    const std::string target = text_of(call.body, "target");
    call.detail = at.entry.backup.id + " to " + target;
    if (call.core.config()->target(target) == nullptr) return no_such("target", target);
    return queue(call, {.type = JobType::clone,
                        .instance = at.entry.backup.instance,
                        .repository = at.entry.repository,
                        .backup = at.entry.backup.id,
                        .options = json::serialize(json::object{{"target", target}})});
  });
}

HttpResponse list_clones(Call& call) {
  json::array clones;
  for (const Clone& clone : call.core.clones.list()) clones.push_back(clone_json(clone));
  return json_response({{"clones", std::move(clones)}});
}

std::optional<Clone> clone_of(Call& call) {
  const auto id = number_in(call.part("id"));
  if (!id) return std::nullopt;
  return call.core.clones.find(*id);
}

HttpResponse remove_clone(Call& call) {
  const auto clone = clone_of(call);
  if (!clone) return no_such("clone", call.part("id"));
  if (clone->state == "making")
    return error_response(409, "busy", "it is being made: cancel its job first");
  if (!clone->directory.empty()) {
    if (const auto server = find_provisioned(clone->directory)) call.detail = take_back(*server);
  }
  call.core.clones.set_state(clone->id, "gone");
  return json_response({{"clone", clone_json(*call.core.clones.find(clone->id))}});
}

HttpResponse promote(Call& call) {
  const auto clone = clone_of(call);
  if (!clone) return no_such("clone", call.part("id"));
  if (clone->state != "ready" && clone->state != "promoted")
    return error_response(409, "not_ready", "this clone is not ready: " + clone->state);
  const auto config = call.core.config();
  const InstanceEntry* instance = config->instance(clone->instance);
  if (instance == nullptr) return no_such("instance", clone->instance);
  call.detail = clone->uri + " to " + clone->instance;
  if (text_of(call.body, "confirm") != clone->instance) {
    return error_response(422, "not_confirmed",
                          "type the name of the instance that is to be overwritten");
  }
  return queue(call, {.type = JobType::promote,
                      .instance = clone->instance,
                      .repository = instance->repository,
                      .backup = clone->backup,
                      .options = json::serialize(json::object{{"clone", clone->id}})});
}

HttpResponse list_drills(Call& call) {
  json::array drills;
  const auto instance = call.request.parameter("instance");
  for (const Drill& drill : call.core.drills.list(instance, limit_of(call, 100, 1000)))
    drills.push_back(drill_json(drill));
  return json_response({{"drills", std::move(drills)}});
}

}  // namespace

void add_recovery_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/plans", Role::operator_, create_plan, "restore.plan"});
  routes.push_back({"POST", "/restores", Role::admin, create_restore, "restore.run"});
  routes.push_back({"POST", "/clones", Role::operator_, create_clone, "clone.create"});
  routes.push_back({"GET", "/clones", Role::viewer, list_clones});
  routes.push_back({"DELETE", "/clones/{id}", Role::operator_, remove_clone, "clone.delete", true});
  routes.push_back({"POST", "/clones/{id}/promotions", Role::admin, promote, "clone.promote"});
  routes.push_back({"GET", "/drills", Role::viewer, list_drills});
}

}  // namespace sluice::service
