#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/accounts.h"
#include "service/core.h"
#include "service/gate.h"
#include "service/http_message.h"

namespace sluice::service {

/// A request that was let in, for its handler.
struct Call {
  Core& core;
  const HttpRequest& request;
  Caller caller;                                 ///< Nobody's where the route needs no role.
  std::map<std::string, std::string> path = {};  ///< What stood for {names} of the pattern.
  boost::json::object body = {};
  std::string detail = {};  ///< For the audit log; the handler may set it.

  [[nodiscard]] const std::string& part(const std::string& name) const { return path.at(name); }
};

/// One operation of the API.
struct Route {
  std::string_view method;
  std::string_view pattern;  ///< Below /api/v1: "/backups/{id}/pin".
  Role role = Role::admin;   ///< Least.
  std::function<HttpResponse(Call&)> handler;
  std::string_view action = {};  ///< Name in the audit log; empty: reads only, is not logged.
  bool slow = false;             ///< Reads more than the service's own state.
};

/// Finds the handler of a request, lets the gate decide, and writes the audit log.
/// Threads: any.
class Router {
 public:
  Router(Core& core, const Gate& gate, std::vector<Route> routes);

  [[nodiscard]] HttpResponse handle(const HttpRequest& request) const;
  [[nodiscard]] bool is_slow(const HttpRequest& request) const;
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Match {
    const Route* route = nullptr;
    std::map<std::string, std::string> path = {};
    bool other_method = false;  ///< There is a route, but not for this method.
  };
  [[nodiscard]] Match match(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse answer(const HttpRequest& request) const;
  /// What the metrics call it: there are only so many.
  [[nodiscard]] std::string_view label_of(const HttpRequest& request) const;
  [[nodiscard]] HttpResponse handle_api(const HttpRequest& request) const;
  void note(const Route& route, const Call& call, const HttpResponse& response) const;

  Core& core_;
  const Gate& gate_;
  std::vector<Route> routes_ = {};
  std::vector<std::vector<std::string>> patterns_ = {};  ///< Of the routes, split.
};

}  // namespace sluice::service
