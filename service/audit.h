#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/database.h"

namespace sluice::service {

/// What somebody did, or tried to.
struct AuditEntry {
  std::int64_t seq = 0;
  std::int64_t at_ms = 0;
  std::string actor = {};    ///< "-" for nobody who is known.
  std::string address = {};  ///< That it came from.
  std::string action = {};   ///< "backup.create", "session.open", …
  std::string object = {};
  std::string outcome = {};  ///< "ok", "refused", "failed".
  std::string detail = {};   ///< Never a secret.
};

/// The audit log: rows are only ever added, which the database enforces, and each holds a hash over
/// the one before, so that a change behind the service's back can be told.
/// Threads: any.
class Audit {
 public:
  explicit Audit(Database& database) : database_(database) {}

  void add(const AuditEntry& entry);
  /// Newest first.
  [[nodiscard]] std::vector<AuditEntry> list(std::optional<std::int64_t> before, unsigned limit);
  /// Whether every row is as it was written, and none is missing between.
  [[nodiscard]] bool is_whole();

 private:
  /// A row and its hash; before the first.
  struct Place {
    std::int64_t seq = 0;
    std::string chain = {};
  };
  /// Goes on for so many rows; none when one is not as it should be.
  [[nodiscard]] std::optional<Place> follow(Place place);

  Database& database_;
};

}  // namespace sluice::service
