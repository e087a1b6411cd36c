// Signing in and out, and the first admin.

#include <fmt/format.h>

#include "service/api.h"
#include "service/gate.h"
#include "service/json.h"
#include "service/text.h"
#include "sluice/catalog.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

json::object session_json(Core& core, const Caller& caller) {
  json::object object{{"setup_needed", !core.accounts.has_users()},
                      {"user", nullptr},
                      {"csrf", nullptr},
                      {"version", core.version()},
                      {"time", format_time(now_ms())}};
  if (caller.role != Role::none) {
    object["user"] = json::object{{"name", caller.name}, {"role", to_string(caller.role)}};
    if (!caller.csrf.empty()) object["csrf"] = caller.csrf;
  }
  return object;
}

void set_cookie(const Call& call, HttpResponse& response, const std::string& value,
                std::int64_t seconds) {
  const std::string origin = call.request.header("origin");
  const bool secure = call.request.tls || origin.starts_with("https://");
  response.headers.emplace_back(
      "Set-Cookie", fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}",
                                session_cookie, value, seconds, secure ? "; Secure" : ""));
}

HttpResponse get_session(Call& call) {
  Caller caller = call.caller;
  if (caller.role == Role::none) caller.csrf.clear();
  return json_response(session_json(call.core, caller));
}

HttpResponse open_session(Call& call) {
  const std::string name = text_of(call.body, "name");
  call.detail = "as " + name;
  auto login = call.core.accounts.log_in(name, text_of(call.body, "password"), call.request.peer);
  const bool limited = !login && login.error().try_again_in_s > 0;
  call.core.metrics.login_finished(login ? "ok" : (limited ? "limited" : "refused"));
  if (!login) {
    auto response = error_response(login.error().error);
    if (limited)
      response.headers.emplace_back("Retry-After", std::to_string(login.error().try_again_in_s));
    return response;
  }
  if (!call.caller.session.empty()) call.core.accounts.log_out(call.caller.session);
  call.caller = login->caller;
  auto response = json_response(session_json(call.core, call.caller));
  set_cookie(call, response, login->secret, Accounts::session_life_ms / 1000);
  return response;
}

HttpResponse set_up(Call& call) {
  const std::string name = text_of(call.body, "name");
  const std::string password = text_of(call.body, "password");
  call.detail = "as " + name;
  if (auto made = call.core.accounts.set_up(text_of(call.body, "token"), name, password); !made)
    return error_response(made.error());
  return open_session(call);
}

HttpResponse close_session(Call& call) {
  call.core.accounts.log_out(call.caller.session);
  auto response = json_response({});
  set_cookie(call, response, "", 0);
  return response;
}

HttpResponse change_password(Call& call) {
  const auto changed = call.core.accounts.change_password(
      call.caller.name, text_of(call.body, "old"), text_of(call.body, "new"));
  if (!changed) return error_response(changed.error());
  return json_response({});
}

}  // namespace

void add_session_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/session", Role::none, get_session});
  routes.push_back({"POST", "/setup", Role::none, set_up, "setup", true});
  routes.push_back({"POST", "/session", Role::none, open_session, "session.open", true});
  routes.push_back({"DELETE", "/session", Role::viewer, close_session, "session.close"});
  routes.push_back(
      {"PUT", "/session/password", Role::viewer, change_password, "password.change", true});
}

}  // namespace sluice::service
