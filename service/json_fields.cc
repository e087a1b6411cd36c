#include "service/json_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/value_to.hpp>

namespace sluice::service {
namespace {

std::optional<double> number_of(const boost::json::value& value) {
  boost::json::error_code ec;
  const auto number = value.to_number<double>(ec);
  return ec ? std::nullopt : std::optional(number);
}

}  // namespace

JsonFields::JsonFields(const boost::json::object& object, std::string path,
                       std::vector<std::string>& mistakes)
    : object_(object),
      path_(std::move(path)),
      mistakes_(mistakes),
      mistakes_before_(mistakes.size()) {}

void JsonFields::refuse(std::string_view name, std::string_view what) {
  mistakes_.push_back(fmt::format("{}{} has to be {}", path_, name, what));
}

const boost::json::value* JsonFields::value(std::string_view name) {
  known_.push_back(name);
  return object_.if_contains(name);
}

std::optional<std::string_view> JsonFields::string(std::string_view name, std::string_view what) {
  const auto* const found = value(name);
  if (found == nullptr) return std::nullopt;
  if (const auto* const text = found->if_string()) return std::string_view(*text);
  refuse(name, what);
  return std::nullopt;
}

void JsonFields::read(std::string_view name, bool& into) {
  const auto* const found = value(name);
  if (found == nullptr) return;
  if (const auto* const flag = found->if_bool())
    into = *flag;
  else
    refuse(name, "true or false");
}

void JsonFields::read(std::string_view name, unsigned& into, unsigned least, unsigned most) {
  const auto* const found = value(name);
  if (found == nullptr) return;
  boost::json::error_code ec;
  const auto number = found->to_number<std::uint64_t>(ec);
  if (ec || number < least || number > most) {
    refuse(name, fmt::format("a whole number from {} to {}", least, most));
    return;
  }
  into = static_cast<unsigned>(number);
}

void JsonFields::read(std::string_view name, double& into, double least, double most) {
  const auto* const found = value(name);
  if (found == nullptr) return;
  const auto number = number_of(*found);
  if (number && *number >= least && *number <= most)
    into = *number;
  else
    refuse(name, fmt::format("a number from {} to {}", least, most));
}

void JsonFields::with_object(std::string_view name, const std::function<void(JsonFields&)>& use) {
  const auto* const found = value(name);
  if (found == nullptr || found->is_null()) return;
  const auto* const object = found->if_object();
  if (object == nullptr) {
    refuse(name, "an object");
    return;
  }
  JsonFields inner(*object, fmt::format("{}{}.", path_, name), mistakes_);
  use(inner);
  inner.finish();
}

void JsonFields::finish() {
  for (const auto& field : object_) {
    const std::string_view name = field.key();
    if (std::ranges::find(known_, name) == known_.end())
      mistakes_.push_back(fmt::format("{}{} is no setting: leave it out", path_, name));
  }
}

std::string joined(const std::vector<std::string>& mistakes) {
  return fmt::format("{}", fmt::join(mistakes, "; "));
}

}  // namespace sluice::service
