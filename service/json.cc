#include "service/json.h"

#include <boost/json/parse.hpp>

#include "sluice/catalog.h"

namespace sluice::service {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(field);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->as_string());
}

std::optional<std::int64_t> number_of(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(field);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  boost::system::error_code bad;
  const auto number = value->to_number<std::int64_t>(bad);
  if (bad) return std::nullopt;
  return number;
}

bool flag_of(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(field);
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::vector<std::string> texts_of(const json::object& object, std::string_view field) {
  std::vector<std::string> texts;
  const json::value* value = object.if_contains(field);
  if (value == nullptr || !value->is_array()) return texts;
  for (const json::value& text : value->as_array()) {
    if (text.is_string()) texts.emplace_back(text.as_string());
  }
  return texts;
}

json::value or_null(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return json::value(*text);
}

json::value or_null(const std::optional<std::int64_t>& number) {
  if (!number) return nullptr;
  return *number;
}

json::value time_or_null(const std::optional<std::int64_t>& unix_ms) {
  if (!unix_ms) return nullptr;
  return json::value(format_time(*unix_ms));
}

json::object json_of(const Error& error) {
  return parse_object(to_json(error)).at("error").as_object();
}

std::string message_of(std::string_view error) { return text_of(parse_object(error), "message"); }

json::object parse_object(std::string_view text) { return json::parse(text).as_object(); }

}  // namespace sluice::service
