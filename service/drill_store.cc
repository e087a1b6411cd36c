#include "service/drill_store.h"

namespace sluice::service {

void DrillStore::add(const Drill& drill) {
  std::optional<std::int64_t> equal;
  if (drill.digest_equal) equal = *drill.digest_equal ? 1 : 0;
  Database::Writing writing(database_);
  writing.statement("INSERT OR REPLACE INTO drills VALUES(?,?,?,?,?,?,?,?,?)")
      .bind(drill.job)
      .bind(drill.instance)
      .bind(drill.backup)
      .bind(drill.at_ms)
      .bind(drill.seconds)
      .bind(drill.ok)
      .bind(equal)
      .bind(static_cast<std::int64_t>(drill.keys))
      .bind(drill.message)
      .run();
  writing.commit();
}

std::vector<Drill> DrillStore::list(const std::optional<std::string>& instance, unsigned limit) {
  Database::Reading reading(database_);
  auto rows = reading.statement(
      "SELECT job, instance, backup, at, seconds, ok, digest_equal, keys, message FROM drills "
      "WHERE ?1 IS NULL OR instance = ?1 ORDER BY at DESC, job DESC LIMIT ?2");
  rows.bind(instance).bind(std::int64_t{limit});
  std::vector<Drill> drills;
  while (rows.step()) {
    Drill drill{.job = rows.number(0), .instance = rows.text(1), .backup = rows.text(2)};
    drill.at_ms = rows.number(3);
    drill.seconds = rows.real(4);
    drill.ok = rows.number(5) != 0;
    if (const auto equal = rows.maybe_number(6)) drill.digest_equal = *equal != 0;
    drill.keys = static_cast<std::uint64_t>(rows.number(7));
    drill.message = rows.text(8);
    drills.push_back(std::move(drill));
  }
  return drills;
}

}  // namespace sluice::service
