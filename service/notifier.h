#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "service/config.h"

namespace sluice::service {

/// Something that people want to be told.
struct Event {
  std::string name;                      ///< "backup_failed", … as NotifyEntry::events has them.
  std::string instance = {};             ///< Empty: of none.
  std::string backup = {};               ///< Its id; empty: none.
  std::optional<std::int64_t> job = {};  ///< Its id.
  std::string message;                   ///< One line; never a secret.
  std::int64_t at_ms = 0;                ///< Unix milliseconds.
  boost::json::object details = {};
};

/// What is delivered: {"event","instance","backup","job","message","at","details","text"}; `text`
/// is the whole of it in words, which chat services show.
[[nodiscard]] std::string to_json(const Event& event);

class NotifyChannel;

/// Tells events to the webhooks and commands of a configuration, each on a thread of its own, so
/// that one which hangs keeps nobody waiting.
///
/// Webhook:  a POST; https is verified; no redirect is followed. What failed but may succeed later
///           (no connection, time-out, 429, 5xx) is tried again.
/// Command:  /bin/sh, with the JSON on standard input; past the limit it is killed with its group.
/// Threads:  all members may be called from any thread. None waits for a delivery, but
///           the destructor and replace() for one that is being given up.
class Notifier {
 public:
  struct Options {
    std::chrono::milliseconds webhook_timeout{10'000};  ///< Of one try.
    unsigned tries = 3;                                 ///< Of a webhook.
    std::chrono::milliseconds retry_delay{1'000};       ///< Before the second; then four times it.
    std::chrono::milliseconds command_limit{30'000};
    std::size_t queue_max = 1'000;  ///< Of each; what comes when it is full is dropped.
  };
  struct Counts {
    std::uint64_t delivered = 0;
    std::uint64_t failed = 0;   ///< After the last try.
    std::uint64_t dropped = 0;  ///< Queue full.
  };
  /// Is given one line for each that failed or was dropped; on a thread of the notifier, or on that
  /// of tell(). Never holds the address or a header.
  using Log = std::function<void(const std::string& line)>;

  Notifier(const std::vector<NotifyEntry>& entries, Log log, Options options);
  Notifier(const std::vector<NotifyEntry>& entries, Log log);
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;
  /// Gives up what is not delivered.
  ~Notifier();

  void tell(const Event& event);
  /// Goes on with other entries; what waits for the old ones is given up.
  void replace(const std::vector<NotifyEntry>& entries);
  [[nodiscard]] Counts counts() const;
  /// Waits until nothing is left to deliver. False when that took longer.
  [[nodiscard]] bool drain(std::chrono::milliseconds limit) const;

 private:
  using Channels = std::vector<std::shared_ptr<NotifyChannel>>;
  [[nodiscard]] Channels channels() const;

  const Log log_;
  const Options options_;
  mutable std::mutex mutex_;
  Channels channels_;
  Counts former_;  ///< Of channels that are gone.
};

}  // namespace sluice::service
