#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>
#include <cmath>

#include "service/json_fields.h"
#include "service/policy_words.h"
#include "service/quantity.h"

namespace sluice::service {
namespace {

namespace json = boost::json;

constexpr double day_ms = 24.0 * 3600 * 1000;

json::object schedule_json(const Schedule& schedule) {
  json::array days;
  for (std::size_t day = 0; day < schedule.days.size(); ++day) {
    if (schedule.days[day]) days.emplace_back(weekday_words[day]);
  }
  return {{"days", std::move(days)},
          {"start", clock_text(schedule.start_minute)},
          {"window_minutes", schedule.window_minutes},
          {"every_hours", schedule.every_hours},
          {"time_zone", schedule.time_zone},
          {"text", describe(schedule)}};
}

json::value schedule_json(const std::optional<Schedule>& schedule) {
  return schedule ? json::value(schedule_json(*schedule)) : json::value(nullptr);
}

json::object retention_json(const RetentionPolicy& retention) {
  const double days = static_cast<double>(retention.within_ms) / day_ms;
  json::object object = {{"within_days", days}};
  // A whole number stands as one.
  if (days == std::floor(days)) object["within_days"] = static_cast<std::int64_t>(days);
  for (const auto& [word, count] : retention_counts) object[word] = retention.*count;
  return object;
}

std::optional<std::size_t> weekday_of(const json::value& value) {
  const auto* const text = value.if_string();
  return text == nullptr ? std::nullopt : parse_weekday(*text);
}

void read_days(JsonFields& fields, Schedule& schedule) {
  const json::value* const value = fields.value("days");
  if (value == nullptr) return;
  schedule.days = {};
  const auto* const list = value->if_array();
  if (list == nullptr) fields.refuse("days", "a list of mon, tue, wed, thu, fri, sat, sun");
  for (const json::value& one : list == nullptr ? json::array() : *list) {
    const auto day = weekday_of(one);
    if (day) schedule.days[*day] = true;
    if (!day) fields.refuse("days", "a list of mon, tue, wed, thu, fri, sat, sun");
  }
}

void read_schedule(JsonFields& fields, Schedule& schedule) {
  read_days(fields, schedule);
  fields.read("start", schedule.start_minute, parse_clock_time, "a time of the day as \"02:00\"");
  fields.read("window_minutes", schedule.window_minutes, 0U, PolicyLimits::window_minutes_max);
  fields.read("every_hours", schedule.every_hours, 0U, PolicyLimits::every_hours_max);
  const auto zone = [](std::string_view text) {
    std::string name(text);
    return is_time_zone(name) ? std::optional(std::move(name)) : std::nullopt;
  };
  fields.read("time_zone", schedule.time_zone, zone, "an IANA name, as \"Europe/Berlin\"");
  fields.ignore("text");
  const bool has_day = schedule.days != std::array<bool, 7>{};
  if (!has_day && schedule.every_hours == 0 && fields.is_fine())
    fields.refuse("days", "one day at least, or every_hours more than 0");
}

Schedule in_zone(const std::string& zone) {
  Schedule schedule;
  schedule.time_zone = zone;
  return schedule;
}

void read_schedule(JsonFields& fields, std::string_view name, const std::string& zone,
                   std::optional<Schedule>& into) {
  fields.with_object(name, [&](JsonFields& inner) {
    into = in_zone(zone);
    read_schedule(inner, *into);
  });
}

void read_retention(JsonFields& fields, RetentionPolicy& retention) {
  retention = {};
  double days = 0;
  fields.read("within_days", days, 0.0, static_cast<double>(PolicyLimits::within_ms_max) / day_ms);
  retention.within_ms = static_cast<std::int64_t>(std::llround(days * day_ms));
  for (const auto& [word, count] : retention_counts)
    fields.read(word, retention.*count, 0U, PolicyLimits::retention_count_max);
  if (retention.is_empty() && fields.is_fine())
    fields.refuse("within_days", "more than 0, or another rule that keeps something");
}

void read_taking(JsonFields& fields, Policy& policy) {
  fields.read("from", policy.from, parse_read_from, "prefer_replica, replica or primary");
  fields.read("layout", policy.layout, parse_layout, "canonical or stream");
  const auto compression = [](std::string_view text) {
    return is_compression(text) ? std::optional(std::string(text)) : std::nullopt;
  };
  fields.read("compression", policy.compression, compression,
              "lz4, zstd, zstd:1 to zstd:19 or none");
  fields.read("retries", policy.retries, 0U, PolicyLimits::retries_max);
  auto delay_s = static_cast<unsigned>(policy.retry_delay_ms / 1000);
  fields.read("retry_delay_s", delay_s, PolicyLimits::retry_delay_ms_min / 1000,
              PolicyLimits::retry_delay_ms_max / 1000);
  policy.retry_delay_ms = std::int64_t{delay_s} * 1000;
}

void read_policy(JsonFields& fields, const std::string& zone, Policy& policy) {
  fields.ignore("name");
  fields.read("enabled", policy.enabled);
  fields.with_object("schedule",
                     [&](JsonFields& schedule) { read_schedule(schedule, policy.schedule); });
  fields.with_object("retention",
                     [&](JsonFields& keep) { read_retention(keep, policy.retention); });
  read_taking(fields, policy);
  read_schedule(fields, "verify", zone, policy.verify);
  read_schedule(fields, "drill", zone, policy.drill);
  fields.finish();
}

}  // namespace

std::string to_json(const Policy& policy) {
  const json::object object = {{"name", policy.name},
                               {"enabled", policy.enabled},
                               {"schedule", schedule_json(policy.schedule)},
                               {"retention", retention_json(policy.retention)},
                               {"from", word_of(policy.from)},
                               {"layout", word_of(policy.layout)},
                               {"compression", policy.compression},
                               {"retries", policy.retries},
                               {"retry_delay_s", policy.retry_delay_ms / 1000},
                               {"verify", schedule_json(policy.verify)},
                               {"drill", schedule_json(policy.drill)}};
  return json::serialize(object);
}

Result<Policy> policy_from_json(const std::string& text, const std::string& default_zone) {
  Policy policy;
  policy.name = "console";
  policy.schedule.time_zone = default_zone;
  std::vector<std::string> mistakes;
  boost::system::error_code ec;
  const json::value root = json::parse(text, ec);
  const auto* const object = ec ? nullptr : root.if_object();
  if (object == nullptr) {
    mistakes.emplace_back("the policy has to be a JSON object");
  } else {
    JsonFields fields(*object, "", mistakes);
    read_policy(fields, default_zone, policy);
  }
  if (mistakes.empty()) return policy;
  return std::unexpected(
      Error{.stage = Stage::usage, .code = "bad_policy", .message = joined(mistakes)});
}

}  // namespace sluice::service
