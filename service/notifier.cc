#include "service/notifier.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "service/notify_channel.h"
#include "sluice/catalog.h"

namespace sluice::service {
namespace {

boost::json::value text_or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

std::string words_of(const Event& event) {
  if (event.instance.empty()) return fmt::format("sluice: {}: {}", event.name, event.message);
  return fmt::format("sluice: {}: {}: {}", event.instance, event.name, event.message);
}

Notifier::Counts operator+(Notifier::Counts a, const Notifier::Counts& b) {
  return {.delivered = a.delivered + b.delivered,
          .failed = a.failed + b.failed,
          .dropped = a.dropped + b.dropped};
}

}  // namespace

std::string to_json(const Event& event) {
  const boost::json::object object = {
      {"event", event.name},
      {"instance", text_or_null(event.instance)},
      {"backup", text_or_null(event.backup)},
      {"job", event.job ? boost::json::value(*event.job) : boost::json::value(nullptr)},
      {"message", event.message},
      {"at", format_time(event.at_ms)},
      {"details", event.details},
      {"text", words_of(event)}};
  return boost::json::serialize(object);
}

Notifier::Notifier(const std::vector<NotifyEntry>& entries, Log log, Options options)
    : log_(std::move(log)), options_(options) {
  replace(entries);
}

Notifier::Notifier(const std::vector<NotifyEntry>& entries, Log log)
    : Notifier(entries, std::move(log), Options()) {}

Notifier::~Notifier() = default;

Notifier::Channels Notifier::channels() const {
  const std::lock_guard guard(mutex_);
  return channels_;
}

void Notifier::tell(const Event& event) {
  std::string body;
  for (const auto& channel : channels()) {
    if (!channel->wants(event.name)) continue;
    if (body.empty()) body = to_json(event);
    channel->push(event.name, body);
  }
}

void Notifier::replace(const std::vector<NotifyEntry>& entries) {
  Channels made;
  for (const NotifyEntry& entry : entries)
    made.push_back(std::make_shared<NotifyChannel>(entry, options_, log_));
  const std::lock_guard guard(mutex_);
  for (const auto& channel : channels_) former_ = former_ + channel->counts();
  channels_.swap(made);
}

Notifier::Counts Notifier::counts() const {
  const std::lock_guard guard(mutex_);
  Counts sum = former_;
  for (const auto& channel : channels_) sum = sum + channel->counts();
  return sum;
}

bool Notifier::drain(std::chrono::milliseconds limit) const {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (const auto& channel : channels()) {
    if (!channel->drain(until)) return false;
  }
  return true;
}

}  // namespace sluice::service
