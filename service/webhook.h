#pragma once

#include <chrono>
#include <map>
#include <stop_token>
#include <string>

namespace sluice::service {

struct WebhookPost {
  const std::string& url;
  const std::map<std::string, std::string>& headers;
  const std::string& body;  ///< JSON.
  std::chrono::milliseconds timeout;
};

struct WebhookResult {
  std::string trouble;  ///< Empty when it was taken. Never the address, a header or an answer.
  bool may_retry = false;
};

/// Posts once, by libcurl. TLS is verified, redirects are not followed, the answer's body is
/// thrown away. Ends soon when it is to stop. Thread-safe.
[[nodiscard]] WebhookResult post_webhook(const WebhookPost& post, const std::stop_token& stop);

}  // namespace sluice::service
