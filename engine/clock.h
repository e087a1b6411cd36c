#pragma once

#include <chrono>
#include <cstdint>

namespace sluice::engine {

/// Now, in Unix milliseconds: what expiries and start times are told in.
[[nodiscard]] inline std::int64_t unix_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace sluice::engine
