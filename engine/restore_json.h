#pragma once

#include <boost/json/object.hpp>

#include "sluice/restore.h"

namespace sluice::engine {

[[nodiscard]] boost::json::object json_of(const RestoreResult& result);

}  // namespace sluice::engine
