#include "service/clone_store.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "service/json.h"

namespace sluice::service {
namespace {

constexpr std::string_view select =
    "SELECT id, backup, instance, target, uri, directory, created_at, state, verified, keys, "
    "digest, job FROM clones ";

Clone clone_of(const Statement& row) {
  Clone clone{.id = row.number(0), .backup = row.text(1), .instance = row.text(2)};
  clone.target = row.text(3);
  clone.uri = row.text(4);
  clone.directory = row.text(5);
  clone.created_at_ms = row.number(6);
  clone.state = row.text(7);
  if (const auto verified = row.maybe_number(8)) clone.verified = *verified != 0;
  clone.keys = static_cast<std::uint64_t>(row.number(9));
  clone.digest = row.maybe_text(10);
  clone.job = row.number(11);
  return clone;
}

}  // namespace

std::int64_t CloneStore::add(const Clone& clone) {
  Database::Writing writing(database_);
  writing
      .statement(
          "INSERT INTO clones(backup, instance, target, directory, created_at, state, job) "
          "VALUES(?,?,?,?,?,?,?)")
      .bind(clone.backup)
      .bind(clone.instance)
      .bind(clone.target)
      .bind(clone.directory)
      .bind(clone.created_at_ms)
      .bind(clone.state)
      .bind(clone.job)
      .run();
  const std::int64_t id = writing.last_row();
  writing.commit();
  return id;
}

void CloneStore::set_server(std::int64_t id, const std::string& uri, const std::string& directory,
                            const ServerAddress& address) {
  const boost::json::object secret{{"uri", address.uri}, {"password", or_null(address.password)}};
  Database::Writing writing(database_);
  writing.statement("UPDATE clones SET uri = ?, directory = ?, address = ? WHERE id = ?")
      .bind(uri)
      .bind(directory)
      .bind(boost::json::serialize(secret))
      .bind(id)
      .run();
  writing.commit();
}

void CloneStore::set_state(std::int64_t id, const std::string& state) {
  Database::Writing writing(database_);
  writing.statement("UPDATE clones SET state = ? WHERE id = ?").bind(state).bind(id).run();
  writing.commit();
}

void CloneStore::set_result(std::int64_t id, const std::string& state, std::optional<bool> verified,
                            std::uint64_t keys, const std::optional<std::string>& digest) {
  std::optional<std::int64_t> proven;
  if (verified) proven = *verified ? 1 : 0;
  Database::Writing writing(database_);
  writing.statement("UPDATE clones SET state = ?, verified = ?, keys = ?, digest = ? WHERE id = ?")
      .bind(state)
      .bind(proven)
      .bind(static_cast<std::int64_t>(keys))
      .bind(digest)
      .bind(id)
      .run();
  writing.commit();
}

std::optional<Clone> CloneStore::find(std::int64_t id) {
  Database::Reading reading(database_);
  auto row = reading.statement(std::string(select) + "WHERE id = ?");
  row.bind(id);
  if (!row.step()) return std::nullopt;
  return clone_of(row);
}

std::optional<ServerAddress> CloneStore::address(std::int64_t id) {
  Database::Reading reading(database_);
  auto row = reading.statement("SELECT address FROM clones WHERE id = ? AND address IS NOT NULL");
  row.bind(id);
  if (!row.step()) return std::nullopt;
  const auto secret = parse_object(row.text(0));
  ServerAddress address;
  address.uri = text_of(secret, "uri");
  if (auto password = text_of(secret, "password"); !password.empty()) address.password = password;
  return address;
}

std::vector<Clone> CloneStore::list() {
  Database::Reading reading(database_);
  auto rows = reading.statement(std::string(select) + "ORDER BY id DESC");
  std::vector<Clone> clones;
  while (rows.step()) clones.push_back(clone_of(rows));
  return clones;
}

}  // namespace sluice::service
