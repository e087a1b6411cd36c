// Users, tokens, and the audit log.

#include <boost/json/array.hpp>

#include "service/api.h"
#include "service/json.h"
#include "service/text.h"
#include "sluice/catalog.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
constexpr std::int64_t days_max = 3650;
constexpr std::size_t label_max = 100;

HttpResponse bad_role() {
  return error_response(422, "bad_role", "a role is one of viewer, operator, admin");
}

HttpResponse list_users(Call& call) {
  json::array users;
  for (const User& user : call.core.accounts.users()) {
    users.push_back(json::object{{"name", user.name},
                                 {"role", to_string(user.role)},
                                 {"created_at", format_time(user.created_at_ms)},
                                 {"last_seen_at", time_or_null(user.last_seen_at_ms)}});
  }
  return json_response({{"users", std::move(users)}});
}

HttpResponse add_user(Call& call) {
  const std::string name = text_of(call.body, "name");
  const auto role = parse_role(text_of(call.body, "role"));
  call.detail = name + " as " + text_of(call.body, "role");
  if (!role) return bad_role();
  const auto added = call.core.accounts.add_user(name, text_of(call.body, "password"), *role);
  if (!added) return error_response(added.error());
  return json_response({{"name", name}}, 201);
}

HttpResponse change_user(Call& call) {
  std::optional<Role> role;
  if (call.body.contains("role")) {
    role = parse_role(text_of(call.body, "role"));
    if (!role) return bad_role();
    call.detail = "role " + std::string(to_string(*role));
  }
  std::optional<std::string> password;
  if (call.body.contains("password")) password = text_of(call.body, "password");
  const auto changed = call.core.accounts.change_user(call.part("name"), role, password);
  if (!changed) return error_response(changed.error());
  return json_response({{"name", call.part("name")}});
}

HttpResponse remove_user(Call& call) {
  const auto removed = call.core.accounts.remove_user(call.part("name"));
  if (!removed) return error_response(removed.error());
  return json_response({});
}

HttpResponse list_tokens(Call& call) {
  json::array tokens;
  for (const Token& token : call.core.accounts.tokens()) {
    tokens.push_back(json::object{{"id", token.id},
                                  {"label", token.label},
                                  {"role", to_string(token.role)},
                                  {"created_at", format_time(token.created_at_ms)},
                                  {"expires_at", time_or_null(token.expires_at_ms)},
                                  {"last_used_at", time_or_null(token.last_used_at_ms)}});
  }
  return json_response({{"tokens", std::move(tokens)}});
}

HttpResponse add_token(Call& call) {
  const std::string label = text_of(call.body, "label");
  const auto role = parse_role(text_of(call.body, "role"));
  call.detail = label + " as " + text_of(call.body, "role");
  if (!role) return bad_role();
  if (label.empty() || label.size() > label_max)
    return error_response(422, "bad_label",
                          "a label has 1 to 100 bytes: say what the token is for");
  std::optional<std::int64_t> expires;
  if (const auto days = number_of(call.body, "expires_in_days")) {
    if (*days < 1 || *days > days_max)
      return error_response(422, "bad_expiry", "a token lives for 1 to 3650 days");
    expires = now_ms() + *days * day_ms;
  }
  const auto token = call.core.accounts.add_token(label, *role, expires);
  return json_response({{"id", token.id}, {"token", token.secret}}, 201);
}

HttpResponse remove_token(Call& call) {
  const auto id = number_in(call.part("id"));
  if (!id || !call.core.accounts.remove_token(*id)) return no_such("token", call.part("id"));
  return json_response({});
}

HttpResponse list_audit(Call& call) {
  std::optional<std::int64_t> before;
  if (const auto text = call.request.parameter("before")) before = std::atoll(text->c_str());
  json::array entries;
  for (const AuditEntry& entry : call.core.audit.list(before, limit_of(call, 100, 1000))) {
    entries.push_back(json::object{{"seq", entry.seq},
                                   {"at", format_time(entry.at_ms)},
                                   {"actor", entry.actor},
                                   {"address", entry.address},
                                   {"action", entry.action},
                                   {"object", entry.object},
                                   {"outcome", entry.outcome},
                                   {"detail", entry.detail}});
  }
  return json_response({{"entries", std::move(entries)}, {"chain_ok", call.core.audit.is_whole()}});
}

}  // namespace

void add_account_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/users", Role::admin, list_users});
  routes.push_back({"POST", "/users", Role::admin, add_user, "user.create", true});
  routes.push_back({"PUT", "/users/{name}", Role::admin, change_user, "user.change", true});
  routes.push_back({"DELETE", "/users/{name}", Role::admin, remove_user, "user.delete"});
  routes.push_back({"GET", "/tokens", Role::admin, list_tokens});
  routes.push_back({"POST", "/tokens", Role::admin, add_token, "token.create"});
  routes.push_back({"DELETE", "/tokens/{id}", Role::admin, remove_token, "token.delete"});
  routes.push_back({"GET", "/audit", Role::admin, list_audit, {}, true});
}

}  // namespace sluice::service
