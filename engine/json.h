#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sluice/backup.h"

namespace sluice::engine {

/// Pieces that several results have in common.
[[nodiscard]] boost::json::object json_counts(const std::map<std::string, std::uint64_t>& counts);
[[nodiscard]] boost::json::value json_optional(const std::optional<std::string>& text);
[[nodiscard]] boost::json::object json_error(const Error& error);
[[nodiscard]] boost::json::object json_summary(const BackupSummary& summary);

}  // namespace sluice::engine
