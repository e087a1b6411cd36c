#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/database.h"

namespace sluice::service {

/// A restore drill that was done.
struct Drill {
  std::int64_t job = 0;
  std::string instance = {};
  std::string backup = {};
  std::int64_t at_ms = 0;
  double seconds = 0;  ///< Of the restore and its proof.
  bool ok = false;
  std::optional<bool> digest_equal = {};
  std::uint64_t keys = 0;
  std::string message = {};
};

/// The drills in the service's state. Threads: any.
class DrillStore {
 public:
  explicit DrillStore(Database& database) : database_(database) {}

  void add(const Drill& drill);
  /// Newest first.
  [[nodiscard]] std::vector<Drill> list(const std::optional<std::string>& instance, unsigned limit);

 private:
  Database& database_;
};

}  // namespace sluice::service
