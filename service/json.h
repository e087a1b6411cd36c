#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.h"

namespace sluice::service {

/// A field of what was sent. Missing ones are empty; of another kind too, unless is said.
[[nodiscard]] std::string text_of(const boost::json::object& object, std::string_view field);
[[nodiscard]] std::optional<std::int64_t> number_of(const boost::json::object& object,
                                                    std::string_view field);
[[nodiscard]] bool flag_of(const boost::json::object& object, std::string_view field);
[[nodiscard]] std::vector<std::string> texts_of(const boost::json::object& object,
                                                std::string_view field);

[[nodiscard]] boost::json::value or_null(const std::optional<std::string>& text);
[[nodiscard]] boost::json::value or_null(const std::optional<std::int64_t>& number);
/// RFC 3339, or null.
[[nodiscard]] boost::json::value time_or_null(const std::optional<std::int64_t>& unix_ms);

/// {"stage","code","message"}.
[[nodiscard]] boost::json::object json_of(const Error& error);

/// The message in such an object.
[[nodiscard]] std::string message_of(std::string_view error);

/// What we wrote ourselves. Throws when it is none.
[[nodiscard]] boost::json::object parse_object(std::string_view text);

}  // namespace sluice::service
