#include "engine/plan_json.h"

#include <optional>
#include <utility>

namespace sluice::engine {
namespace {

boost::json::object json_writes(const PlannedWrites& writes) {
  return {{"added", writes.added},
          {"replaced", writes.replaced},
          {"memory_bytes", writes.memory_bytes}};
}

/// Null for none.
template <class T>
boost::json::value json_maybe(const std::optional<T>& value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

}  // namespace

boost::json::object json_plan(const RestorePlan& plan) {
  boost::json::object object = json_writes(plan.total);
  boost::json::object by_type;
  for (const auto& [type, writes] : plan.by_type) by_type[type] = json_writes(writes);
  object["by_type"] = std::move(by_type);
  object["table_memory_bytes"] = plan.table_memory_bytes;
  object["memory_model"] = plan.memory_model;
  object["target_used_memory"] = json_maybe(plan.used_memory);
  object["target_maxmemory"] = json_maybe(plan.maxmemory);
  object["fits"] = json_maybe(plan.fits);
  return object;
}

}  // namespace sluice::engine
