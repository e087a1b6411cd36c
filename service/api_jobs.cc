// Jobs: what runs, what ran, and the stream of what changes.

#include <boost/json/array.hpp>

#include "service/api.h"
#include "service/api_json.h"
#include "service/assets.h"
#include "service/event_stream.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

std::optional<Job> job_of(Call& call) {
  const auto id = number_in(call.part("id"));
  if (!id) return std::nullopt;
  return call.core.jobs.find(*id);
}

HttpResponse list_jobs(Call& call) {
  JobQuery query{.instance = call.request.parameter("instance"),
                 .state = call.request.parameter("state"),
                 .type = call.request.parameter("type")};
  query.limit = limit_of(call, 50, 500);
  if (const auto before = call.request.parameter("before")) query.before = number_in(*before);
  const auto jobs = call.core.jobs.list(query);
  json::array array;
  for (const Job& job : jobs) array.push_back(job_json(call.core, job));
  json::object answer{{"jobs", std::move(array)}, {"next", nullptr}};
  if (jobs.size() == query.limit) answer["next"] = jobs.back().id;
  return json_response(answer);
}

/// A result may name keys: it is for those who may see them.
void hide_from_viewers(const Call& call, Job& job) {
  if (call.caller.role < Role::operator_) job.result.reset();
}

HttpResponse get_job(Call& call) {
  auto job = job_of(call);
  if (!job) return no_such("job", call.part("id"));
  hide_from_viewers(call, *job);
  return json_response(job_json(call.core, *job));
}

HttpResponse cancel_job(Call& call) {
  const auto job = job_of(call);
  if (!job) return no_such("job", call.part("id"));
  call.detail = std::string(to_string(job->what.type)) + " of " + job->what.instance;
  if (!call.core.runner.cancel(job->id))
    return error_response(409, "over", "the job is over already: " + job->state);
  return json_response(job_json(call.core, *call.core.jobs.find(job->id)));
}

HttpResponse events(Call& call) {
  HttpResponse response{.status = 200, .type = "text/event-stream", .body = {}};
  response.source = std::make_shared<EventStream>(call.core, call.core.network());
  return response;
}

HttpResponse openapi(Call& /*call*/) {
  return {.status = 200, .body = std::string(openapi_document())};
}

}  // namespace

void add_job_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/jobs", Role::viewer, list_jobs});
  routes.push_back({"GET", "/jobs/{id}", Role::viewer, get_job});
  routes.push_back({"POST", "/jobs/{id}/cancel", Role::operator_, cancel_job, "job.cancel"});
  routes.push_back({"GET", "/events", Role::viewer, events});
  routes.push_back({"GET", "/openapi.json", Role::none, openapi});
}

}  // namespace sluice::service
