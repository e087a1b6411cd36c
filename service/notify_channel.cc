#include "service/notify_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "service/notify_command.h"

namespace sluice::service {

NotifyChannel::NotifyChannel(NotifyEntry entry, const Notifier::Options& options, Notifier::Log log)
    : entry_(std::move(entry)),
      options_(options),
      log_(std::move(log)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

bool NotifyChannel::wants(const std::string& event) const {
  return entry_.events.empty() || std::ranges::find(entry_.events, event) != entry_.events.end();
}

void NotifyChannel::push(const std::string& event, const std::string& body) {
  {
    const std::lock_guard guard(mutex_);
    if (queue_.size() < options_.queue_max) {
      queue_.emplace_back(event, body);
      changed_.notify_all();
      return;
    }
    ++counts_.dropped;
  }
  log_(fmt::format("notify {}: {} was dropped: {} wait already", entry_.name, event,
                   options_.queue_max));
}

Notifier::Counts NotifyChannel::counts() const {
  const std::lock_guard guard(mutex_);
  return counts_;
}

bool NotifyChannel::drain(std::chrono::steady_clock::time_point until) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, until, [this] { return queue_.empty() && !is_busy_; });
}

void NotifyChannel::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !queue_.empty(); })) {
    if (stop.stop_requested()) return;
    const auto [event, body] = std::move(queue_.front());
    queue_.pop_front();
    is_busy_ = true;
    lock.unlock();
    const std::string trouble = deliver(body, stop);
    note(event, trouble);
    lock.lock();
    is_busy_ = false;
    changed_.notify_all();
  }
}

std::string NotifyChannel::deliver(const std::string& body, const std::stop_token& stop) {
  if (!entry_.command.empty())
    return run_notify_command(entry_.command, body, options_.command_limit, stop);
  return post(body, stop);
}

std::string NotifyChannel::post(const std::string& body, const std::stop_token& stop) {
  const WebhookPost what{.url = entry_.url,
                         .headers = entry_.headers,
                         .body = body,
                         .timeout = options_.webhook_timeout};
  auto delay = options_.retry_delay;
  for (unsigned left = options_.tries;;) {
    auto result = post_webhook(what, stop);
    --left;
    if (left == 0 || !result.may_retry || stop.stop_requested()) return result.trouble;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, delay, [] { return false; });
    delay *= 4;
  }
}

void NotifyChannel::note(const std::string& event, const std::string& trouble) {
  {
    const std::lock_guard guard(mutex_);
    ++(trouble.empty() ? counts_.delivered : counts_.failed);
  }
  if (!trouble.empty())
    log_(fmt::format("notify {}: {} was not delivered: {}", entry_.name, event, trouble));
}

}  // namespace sluice::service
