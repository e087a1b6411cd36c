#pragma once

#include <boost/json/array.hpp>
#include <vector>

#include "rdb/converter.h"
#include "sluice/loss.h"

namespace sluice::engine {

/// What a result says of it. Holds nothing of `loss`.
[[nodiscard]] RdbLoss describe(const rdb::ConversionLoss& loss);

[[nodiscard]] boost::json::array json_losses(const std::vector<RdbLoss>& losses);

}  // namespace sluice::engine
