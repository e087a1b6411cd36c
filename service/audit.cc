#include "service/audit.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "service/text.h"

namespace sluice::service {
namespace {

constexpr std::string_view columns = "seq, at, actor, address, action, object, outcome, detail";

AuditEntry entry_of(const Statement& row) {
  return {.seq = row.number(0),
          .at_ms = row.number(1),
          .actor = row.text(2),
          .address = row.text(3),
          .action = row.text(4),
          .object = row.text(5),
          .outcome = row.text(6),
          .detail = row.text(7)};
}

/// Others want to read, too.
constexpr std::int64_t rows_at_once = 500;

std::string chained(const std::string& before, const AuditEntry& entry) {
  const boost::json::array row{before,       entry.seq,     entry.at_ms,
                               entry.actor,  entry.address, entry.action,
                               entry.object, entry.outcome, entry.detail};
  return sha256_hex(boost::json::serialize(row));
}

}  // namespace

void Audit::add(const AuditEntry& entry) {
  AuditEntry added = entry;
  std::string before;
  Database::Writing writing(database_);
  {
    auto last = writing.statement("SELECT seq, chain FROM audit ORDER BY seq DESC LIMIT 1");
    const bool any = last.step();
    added.seq = any ? last.number(0) + 1 : 1;
    if (any) before = last.text(1);
  }
  writing.statement("INSERT INTO audit VALUES(?,?,?,?,?,?,?,?,?)")
      .bind(added.seq)
      .bind(added.at_ms)
      .bind(added.actor)
      .bind(added.address)
      .bind(added.action)
      .bind(added.object)
      .bind(added.outcome)
      .bind(added.detail)
      .bind(chained(before, added))
      .run();
  writing.commit();
}

std::vector<AuditEntry> Audit::list(std::optional<std::int64_t> before, unsigned limit) {
  Database::Reading reading(database_);
  auto rows =
      reading.statement("SELECT " + std::string(columns) +
                        " FROM audit WHERE ?1 IS NULL OR seq < ?1 ORDER BY seq DESC LIMIT ?2");
  rows.bind(before).bind(std::int64_t{limit});
  std::vector<AuditEntry> entries;
  while (rows.step()) entries.push_back(entry_of(rows));
  return entries;
}

bool Audit::is_whole() {
  Place place;
  while (auto next = follow(place)) {
    if (next->seq == place.seq) return true;
    place = *std::move(next);
  }
  return false;
}

std::optional<Audit::Place> Audit::follow(Place place) {
  Database::Reading reading(database_);
  auto rows = reading.statement("SELECT " + std::string(columns) +
                                ", chain FROM audit WHERE seq > ? ORDER BY seq LIMIT ?");
  rows.bind(place.seq).bind(rows_at_once);
  while (rows.step()) {
    const AuditEntry entry = entry_of(rows);
    if (entry.seq != place.seq + 1 || chained(place.chain, entry) != rows.text(8))
      return std::nullopt;
    place = {.seq = entry.seq, .chain = rows.text(8)};
  }
  return place;
}

}  // namespace sluice::service
