#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "service/config.h"
#include "service/config_reader.h"

namespace sluice::service {

/// The line of a setting: of `key` in [`table`.`name`], or of that table where it has none.
using LineOf =
    std::function<std::size_t(std::string_view table, std::string_view name, std::string_view key)>;

/// What one part of a configuration says of another: names of what there is none of, drills without
/// a target, a target that is an instance, a directory of two repositories. An instance without a
/// repository gets the only one there is.
void check_config(Config& config, ConfigReading& reading, const LineOf& line_of);

}  // namespace sluice::service
