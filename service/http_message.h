#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.h"

namespace sluice::service {

/// A request as handlers see it.
struct HttpRequest {
  std::string method = {};
  std::string path = {};                            ///< As it was sent, without the query.
  std::vector<std::string> segments = {};           ///< Of the path, decoded.
  std::map<std::string, std::string> query = {};    ///< Decoded; of one that is repeated the last.
  std::map<std::string, std::string> headers = {};  ///< Names in lower case.
  std::string body = {};
  std::string peer = {};  ///< Address of the client, without a port; "local" for a Unix socket.
  bool tls = false;

  [[nodiscard]] std::string header(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> parameter(const std::string& name) const;
  /// Of a cookie; empty when there is none.
  [[nodiscard]] std::string cookie(std::string_view name) const;
};

/// A body that comes piece by piece. Lives on the network's thread.
class BodySource {
 public:
  BodySource() = default;
  BodySource(const BodySource&) = delete;
  BodySource& operator=(const BodySource&) = delete;
  virtual ~BodySource() = default;

  enum class State : std::uint8_t { more, end, broken };
  /// Puts the next piece into `piece`. After `broken` the connection is cut, so that the client
  /// sees that something is missing.
  virtual boost::asio::awaitable<State> next(std::string& piece) = 0;
};

struct HttpResponse {
  unsigned status = 200;
  std::string type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::shared_ptr<BodySource> source = nullptr;  ///< In the place of `body`.
};

[[nodiscard]] HttpResponse json_response(const boost::json::object& object, unsigned status = 200);
[[nodiscard]] HttpResponse error_response(unsigned status, const Error& error);
/// With the status that fits the error's code.
[[nodiscard]] HttpResponse error_response(const Error& error);
[[nodiscard]] HttpResponse error_response(unsigned status, std::string code, std::string message);

/// Decodes %XX, and + as a space when asked to. None when it is malformed.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, bool plus);
/// Splits a target into path, segments and query. False when it is malformed.
[[nodiscard]] bool split_target(std::string_view target, HttpRequest& request);

}  // namespace sluice::service
