#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "service/catalog_cache.h"
#include "service/clone_store.h"
#include "service/core.h"
#include "service/drill_store.h"
#include "service/job.h"

namespace sluice::service {

/// The objects of the API; docs and schemas are in openapi.json.
[[nodiscard]] boost::json::object job_json(const Core& core, const Job& job);
[[nodiscard]] boost::json::object backup_json(Core& core, const CatalogCache::Entry& entry);
[[nodiscard]] boost::json::object instance_json(Core& core, const InstanceEntry& instance);
[[nodiscard]] boost::json::object policy_answer(Core& core, const InstanceEntry& instance);
[[nodiscard]] boost::json::object drill_json(const Drill& drill);
[[nodiscard]] boost::json::object clone_json(const Clone& clone);

}  // namespace sluice::service
