#include "service/event_hub.h"

#include <algorithm>

namespace sluice::service {

void EventHub::job_changed(std::int64_t id) { add({.job = id, .instance = {}}); }
void EventHub::instance_changed(const std::string& name) { add({.job = 0, .instance = name}); }

void EventHub::add(Change change) {
  const std::lock_guard guard(mutex_);
  changes_.push_back(std::move(change));
  if (changes_.size() > remembered) changes_.pop_front();
  ++seq_;
}

EventHub::Changes EventHub::since(std::uint64_t seq) const {
  const std::lock_guard guard(mutex_);
  Changes changes{.seq = seq_};
  const std::uint64_t behind = seq_ - std::min(seq, seq_);
  changes.missed = behind > changes_.size();
  const auto count = std::min<std::uint64_t>(behind, changes_.size());
  for (auto at = changes_.end() - static_cast<std::ptrdiff_t>(count); at != changes_.end(); ++at) {
    if (at->job != 0) changes.jobs.insert(at->job);
    if (!at->instance.empty()) changes.instances.insert(at->instance);
  }
  return changes;
}

std::uint64_t EventHub::seq() const {
  const std::lock_guard guard(mutex_);
  return seq_;
}

}  // namespace sluice::service
