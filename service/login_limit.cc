#include "service/login_limit.h"

#include <algorithm>

namespace sluice::service {
namespace {

constexpr unsigned free_tries = 5;
constexpr std::int64_t window_ms = 15LL * 60 * 1000;
constexpr std::int64_t first_wait_ms = 2000;
constexpr unsigned doublings_max = 9;
/// Names are chosen by whoever guesses: no more of them are remembered.
constexpr std::size_t remembered_max = 10'000;

}  // namespace

std::int64_t LoginLimit::try_again_in_s(const std::string& who, std::int64_t now_ms) {
  const std::lock_guard guard(mutex_);
  if (tries_.size() >= remembered_max) forget_old(now_ms);
  Tries& tries = tries_[who];
  if (now_ms - tries.last_ms > window_ms) tries = {};
  if (now_ms < tries.free_at_ms) return (tries.free_at_ms - now_ms + 999) / 1000;
  tries.last_ms = now_ms;
  if (++tries.failures >= free_tries) {
    const unsigned doublings = std::min(tries.failures - free_tries, doublings_max);
    tries.free_at_ms = now_ms + std::min(first_wait_ms << doublings, window_ms);
  }
  return 0;
}

void LoginLimit::succeeded(const std::string& who) {
  const std::lock_guard guard(mutex_);
  tries_.erase(who);
}

void LoginLimit::forget_old(std::int64_t now_ms) {
  std::erase_if(tries_,
                [now_ms](const auto& entry) { return now_ms - entry.second.last_ms > window_ms; });
  if (tries_.size() >= remembered_max) tries_.erase(tries_.begin());
}

}  // namespace sluice::service
