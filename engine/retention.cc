#include "sluice/retention.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <set>
#include <utility>

namespace sluice {
namespace {

/// What strftime() makes of a time of the same period is the same text.
struct Period {
  const char* name;
  const char* format;
  unsigned RetentionPolicy::* count;
};
constexpr std::array periods{Period{"hourly", "%Y-%m-%d %H", &RetentionPolicy::hourly},
                             Period{"daily", "%Y-%m-%d", &RetentionPolicy::daily},
                             Period{"weekly", "%G-%V", &RetentionPolicy::weekly},
                             Period{"monthly", "%Y-%m", &RetentionPolicy::monthly},
                             Period{"yearly", "%Y", &RetentionPolicy::yearly}};

std::string period_of(std::int64_t unix_ms, const char* format) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

/// The backups of one instance, and the verdicts on them.
class InstanceRetention {
 public:
  InstanceRetention(const RetentionPolicy& policy, std::int64_t now_ms)
      : policy_(policy), now_ms_(now_ms) {}

  void add(const RetentionCandidate& backup, RetentionVerdict& verdict) {
    entries_.push_back({&backup, &verdict});
  }

  void judge() {
    std::ranges::stable_sort(entries_, std::ranges::greater(), [](const Entry& entry) {
      return std::pair(entry.backup->started_at_ms, entry.backup->id);
    });
    for (const Entry& entry : entries_) {
      if (entry.backup->pinned) keep(entry, "pinned");
      if (entry.backup->whole) whole_.push_back(entry);
    }
    keep_newest("minimum", policy_.minimum);
    keep_newest("last", policy_.last);
    keep_within();
    for (const Period& period : periods) keep_by(period);
    judge_damaged();
  }

 private:
  struct Entry {
    const RetentionCandidate* backup;
    RetentionVerdict* verdict;
  };

  static void keep(const Entry& entry, const char* reason) {
    entry.verdict->keep = true;
    entry.verdict->reasons.emplace_back(reason);
  }

  void keep_newest(const char* reason, std::size_t count) {
    for (std::size_t i = 0; i < std::min(count, whole_.size()); ++i) keep(whole_[i], reason);
  }

  void keep_within() {
    if (policy_.within_ms == 0 || whole_.empty()) return;
    const std::int64_t reference = std::min(now_ms_, whole_.front().backup->started_at_ms);
    for (const Entry& entry : whole_) {
      keep(entry, "within");
      if (entry.backup->started_at_ms <= reference - policy_.within_ms) break;
    }
  }

  void keep_by(const Period& period) {
    std::set<std::string> seen;
    for (const Entry& entry : whole_) {
      if (seen.size() == policy_.*period.count) return;
      if (seen.insert(period_of(entry.backup->started_at_ms, period.format)).second)
        keep(entry, period.name);
    }
  }

  void judge_damaged() {
    const auto oldest = std::ranges::find_if(
        whole_.rbegin(), whole_.rend(), [](const Entry& entry) { return entry.verdict->keep; });
    for (const Entry& entry : entries_) {
      if (entry.backup->whole || entry.backup->pinned) continue;
      if (oldest == whole_.rend())
        keep(entry, "no whole backup");
      else if (entry.backup->started_at_ms >= oldest->backup->started_at_ms)
        keep(entry, "damaged");
    }
  }

  const RetentionPolicy& policy_;
  std::int64_t now_ms_;
  std::vector<Entry> entries_;  // newest first once judge() has begun
  std::vector<Entry> whole_;
};

}  // namespace

bool RetentionPolicy::is_empty() const noexcept {
  return last == 0 && within_ms == 0 && std::ranges::all_of(periods, [this](const Period& period) {
           return this->*period.count == 0;
         });
}

Result<std::vector<RetentionVerdict>> judge_retention(
    const std::vector<RetentionCandidate>& backups, const RetentionPolicy& policy,
    std::int64_t now_ms) {
  if (policy.is_empty()) {
    return std::unexpected(
        Error{.stage = Stage::usage,
              .code = "empty_policy",
              .message = "a policy that keeps nothing is refused; say what to keep, for example "
                         "--keep-within 7d --keep-weekly 4"});
  }
  std::vector<RetentionVerdict> verdicts;
  verdicts.reserve(backups.size());  // entries point into it
  std::map<std::string, InstanceRetention> instances;
  for (const RetentionCandidate& backup : backups) {
    verdicts.push_back({.id = backup.id,
                        .instance = backup.instance,
                        .started_at_ms = backup.started_at_ms,
                        .reasons = {}});
    instances.try_emplace(backup.instance, policy, now_ms)
        .first->second.add(backup, verdicts.back());
  }
  for (auto& [name, instance] : instances) instance.judge();
  return verdicts;
}

}  // namespace sluice
