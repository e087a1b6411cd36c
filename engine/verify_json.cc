#include <boost/json.hpp>

#include "engine/json.h"
#include "sluice/catalog.h"
#include "sluice/verify.h"

namespace sluice {
namespace {

namespace json = boost::json;

template <class Number>
json::value json_number(const std::optional<Number>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object json_damage(const VerifyDamage& damage) {
  return {{"object", damage.object},
          {"offset", json_number(damage.offset)},
          {"chunk", json_number(damage.chunk)},
          {"what", damage.what.empty() ? json::value(nullptr) : json::value(damage.what)},
          {"db", json_number(damage.db)},
          {"first_key", engine::json_optional(damage.first_key)},
          {"next_key", engine::json_optional(damage.next_key)},
          {"first_record", json_number(damage.first_record)},
          {"keys", damage.keys},
          {"backups", json::value_from(damage.backups)}};
}

json::value json_salvaged(const std::optional<Salvaged>& salvaged) {
  if (!salvaged) return nullptr;
  return json::object{
      {"keys", salvaged->keys}, {"lost_keys", salvaged->lost_keys}, {"file", salvaged->file}};
}

}  // namespace

std::string to_json(const std::vector<VerifyResult>& results) {
  json::array list;
  for (const VerifyResult& result : results) {
    json::array damage;
    for (const VerifyDamage& place : result.damage) damage.push_back(json_damage(place));
    list.push_back({{"id", result.id},
                    {"instance", result.instance},
                    {"level", to_string(result.level)},
                    {"ok", result.ok},
                    {"skipped", result.skipped},
                    {"resumed", result.resumed},
                    {"chunks", result.chunks},
                    {"stored_bytes", result.stored_bytes},
                    {"raw_bytes", result.raw_bytes},
                    {"keys", result.keys},
                    {"digest", engine::json_optional(result.digest)},
                    {"problems", json::value_from(result.problems)},
                    {"problem_count", result.problem_count},
                    {"damage", std::move(damage)},
                    {"damage_count", result.damage_count},
                    {"salvaged", json_salvaged(result.salvaged)},
                    {"finished_at", format_time(result.finished_at_ms)},
                    {"seconds", result.seconds}});
  }
  return json::serialize(list);
}

}  // namespace sluice
