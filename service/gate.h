#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/accounts.h"
#include "service/config.h"
#include "service/http_message.h"

namespace sluice::service {

inline constexpr std::string_view session_cookie = "sluice_session";

/// Decides whether a request may be answered at all, and who asks.
///
/// Host: only names that the service is known by (against DNS rebinding). Origin and
/// Sec-Fetch-Site: what changes something only comes from our own pages. A session needs its CSRF
/// token for that too; an API token does not, since no browser sends one by itself.
class Gate {
 public:
  Gate(Accounts& accounts, ListenEntry listen, std::string url)
      : accounts_(accounts), listen_(std::move(listen)), url_(std::move(url)) {}

  /// Why the request is refused, whoever asks; else none.
  [[nodiscard]] std::optional<HttpResponse> check(const HttpRequest& request) const;
  /// Who asks; none when nobody is signed in.
  [[nodiscard]] std::optional<Caller> caller(const HttpRequest& request) const;
  /// Whether this caller may do that; else the refusal.
  [[nodiscard]] std::optional<HttpResponse> check_role(const HttpRequest& request,
                                                       const std::optional<Caller>& caller,
                                                       Role least) const;

 private:
  [[nodiscard]] bool is_our_host(const std::string& host) const;
  [[nodiscard]] bool is_our_origin(const HttpRequest& request) const;

  Accounts& accounts_;
  const ListenEntry listen_;
  const std::string url_;
};

/// Whether a method changes something.
[[nodiscard]] bool changes(const HttpRequest& request);

}  // namespace sluice::service
