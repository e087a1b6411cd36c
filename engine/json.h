#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/backup.h"

namespace sluice::engine {

/// Pieces that several results have in common.
[[nodiscard]] boost::json::object json_counts(const std::map<std::string, std::uint64_t>& counts);
[[nodiscard]] boost::json::value json_optional(const std::optional<std::string>& text);
/// As JSON lines have a byte string: a string where it is UTF-8, else {"$base64":"…"}.
[[nodiscard]] boost::json::value json_bytes(std::string_view bytes);
/// Fields of what was read: of a field that is missing, or of another kind, empty and zero.
[[nodiscard]] std::string json_text(const boost::json::object& root, std::string_view field);
[[nodiscard]] std::uint64_t json_number(const boost::json::object& root, std::string_view field);
[[nodiscard]] boost::json::object json_error(const Error& error);
[[nodiscard]] boost::json::object json_source(const BackupSource& source);
[[nodiscard]] boost::json::array json_shards(const std::vector<BackupShard>& shards);
[[nodiscard]] boost::json::object json_summary(const BackupSummary& summary);

}  // namespace sluice::engine
