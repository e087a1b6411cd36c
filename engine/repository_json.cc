#include <boost/json.hpp>

#include "engine/json.h"
#include "sluice/catalog.h"
#include "sluice/repository.h"

namespace sluice {

namespace json = boost::json;

std::string to_json(const InitResult& result) {
  return json::serialize(
      json::object{{"path", result.path},
                   {"id", result.id},
                   {"encrypted", result.encrypted},
                   {"slot", result.encrypted ? json::value(result.slot) : json::value(nullptr)}});
}

std::string to_json(const std::vector<KeySlotInfo>& slots) {
  json::array list;
  for (const KeySlotInfo& slot : slots) {
    json::object entry{{"id", slot.id}, {"damage", engine::json_optional(slot.damage)}};
    entry["kind"] = slot.damage ? json::value(nullptr) : json::value(slot.kind);
    entry["label"] = slot.damage ? json::value(nullptr) : json::value(slot.label);
    entry["created_at"] =
        slot.damage ? json::value(nullptr) : json::value(format_time(slot.created_at_ms));
    list.push_back(std::move(entry));
  }
  return json::serialize(json::object{{"slots", std::move(list)}});
}

}  // namespace sluice
