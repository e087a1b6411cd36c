#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sluice/doctor.h"

namespace sluice::engine {

/// "12 MiB", "300 KiB".
[[nodiscard]] inline std::string bytes_text(std::uint64_t bytes) {
  const bool small = bytes < (1U << 20);
  return std::to_string(small ? bytes >> 10 : bytes >> 20) + (small ? " KiB" : " MiB");
}

/// Collects what a doctor finds, in the order in which it is to be read.
class Findings {
 public:
  void ok(std::string about, std::string text) {
    list_.push_back({Finding::Level::ok, std::move(about), std::move(text), {}});
  }
  void warn(std::string about, std::string text, std::string remedy) {
    list_.push_back({Finding::Level::warn, std::move(about), std::move(text), std::move(remedy)});
  }
  void fail(std::string about, std::string text, std::string remedy) {
    list_.push_back({Finding::Level::fail, std::move(about), std::move(text), std::move(remedy)});
  }

  [[nodiscard]] std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

}  // namespace sluice::engine
