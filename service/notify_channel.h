#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "service/notifier.h"
#include "service/webhook.h"

namespace sluice::service {

/// One webhook or command with its queue and thread.
class NotifyChannel {
 public:
  NotifyChannel(NotifyEntry entry, const Notifier::Options& options, Notifier::Log log);
  /// Gives up what waits, and what is being delivered.
  ~NotifyChannel() = default;
  NotifyChannel(const NotifyChannel&) = delete;
  NotifyChannel& operator=(const NotifyChannel&) = delete;

  [[nodiscard]] bool wants(const std::string& event) const;
  void push(const std::string& event, const std::string& body);
  [[nodiscard]] Notifier::Counts counts() const;
  [[nodiscard]] bool drain(std::chrono::steady_clock::time_point until) const;

 private:
  void run(const std::stop_token& stop);
  /// Empty when it was delivered; else why not.
  [[nodiscard]] std::string deliver(const std::string& body, const std::stop_token& stop);
  [[nodiscard]] std::string post(const std::string& body, const std::stop_token& stop);
  void note(const std::string& event, const std::string& trouble);

  const NotifyEntry entry_;
  const Notifier::Options options_;
  const Notifier::Log log_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::deque<std::pair<std::string, std::string>> queue_;  ///< Event and body.
  bool is_busy_ = false;
  Notifier::Counts counts_;
  std::jthread thread_;  // last: it uses all above
};

}  // namespace sluice::service
