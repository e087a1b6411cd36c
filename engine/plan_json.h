#pragma once

#include <boost/json.hpp>

#include "sluice/restore.h"

namespace sluice::engine {

/// As `plan` of a restore has it.
[[nodiscard]] boost::json::object json_plan(const RestorePlan& plan);

}  // namespace sluice::engine
