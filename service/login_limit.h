#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace sluice::service {

/// Slows down who guesses: after five failures within a quarter of an hour an address, or a name,
/// waits for twice as long each time, a quarter of an hour at most. In memory only.
/// Threads: any.
class LoginLimit {
 public:
  /// How long one has to wait yet, seconds; 0: go ahead. Each time counts as a failure until
  /// succeeded() is called, so that guesses made side by side are counted.
  [[nodiscard]] std::int64_t try_again_in_s(const std::string& who, std::int64_t now_ms);
  void succeeded(const std::string& who);

 private:
  struct Tries {
    unsigned failures = 0;
    std::int64_t last_ms = 0;
    std::int64_t free_at_ms = 0;
  };
  void forget_old(std::int64_t now_ms);

  std::mutex mutex_;
  std::map<std::string, Tries> tries_;
};

}  // namespace sluice::service
