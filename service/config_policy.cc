#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "service/config_parts.h"
#include "service/nearest_name.h"
#include "service/policy_words.h"
#include "service/quantity.h"

namespace sluice::service {
namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::string_view days_advice = R"(write "daily", "weekdays", or days as ["mon", "thu"])";

std::optional<std::array<bool, 7>> parse_days_word(const std::string& text) {
  if (text == "daily") return std::array{true, true, true, true, true, true, true};
  if (text == "weekdays") return std::array{true, true, true, true, true, false, false};
  const auto day = parse_weekday(text);
  if (!day) return std::nullopt;
  std::array<bool, 7> days{};
  days[*day] = true;
  return days;
}

void read_days(ConfigTable& table, Schedule& schedule) {
  const toml::node* const found = table.node("days");
  if (found == nullptr) return;
  if (!found->is_array()) {
    table.read_as("days", schedule.days, parse_days_word, std::string(days_advice));
    return;
  }
  std::vector<std::string> words;
  if (!table.read("days", words)) return;
  schedule.days = {};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (const auto day = parse_weekday(words[i])) {
      schedule.days[*day] = true;
    } else {
      table.refuse("days", fmt::format("entry {} is no weekday", i + 1),
                   name_advice(words[i], {weekday_words.begin(), weekday_words.end()}));
    }
  }
  if (words.empty()) table.refuse("days", "is empty", std::string(days_advice));
}

void read_every(ConfigTable& table, Schedule& schedule) {
  std::int64_t every_ms = 0;
  if (!table.read_duration("every", every_ms, hour_ms, PolicyLimits::every_hours_max * hour_ms))
    return;
  if (every_ms % hour_ms != 0) table.refuse("every", "is no whole number of hours", "write \"6h\"");
  schedule.every_hours = static_cast<unsigned>(every_ms / hour_ms);
  for (const std::string_view other : {"days", "start"}) {
    if (table.has(other))
      table.refuse("every", fmt::format("stands beside {}", other),
                   fmt::format("write every or {}, not both", other));
  }
}

void read_window(ConfigTable& table, Schedule& schedule) {
  std::int64_t window_ms = 0;
  constexpr auto most_ms = PolicyLimits::window_minutes_max * minute_ms;
  if (!table.read_duration("window", window_ms, 0, most_ms)) return;
  if (window_ms % minute_ms != 0)
    table.refuse("window", "is no whole number of minutes", "write \"30m\"");
  schedule.window_minutes = static_cast<unsigned>(window_ms / minute_ms);
}

void read_schedule(ConfigTable& table, Schedule& schedule) {
  read_days(table, schedule);
  table.read_as(
      "start", schedule.start_minute,
      [](const std::string& text) { return parse_clock_time(text); },
      "write a time of the day as \"02:00\"");
  read_window(table, schedule);
  read_every(table, schedule);
  table.read_as(
      "time_zone", schedule.time_zone,
      [](const std::string& text) {
        return is_time_zone(text) ? std::optional(text) : std::nullopt;
      },
      R"(write an IANA name, as "UTC" or "Europe/Berlin")");
}

void read_inner_schedule(ConfigTable& table, std::string_view key, const std::string& zone,
                         std::optional<Schedule>& into) {
  table.with_table(key, [&](ConfigTable& inner) {
    into.emplace();
    into->time_zone = zone;
    read_schedule(inner, *into);
  });
}

void read_retention(ConfigTable& table, RetentionPolicy& retention) {
  const std::size_t mistakes = table.reading().mistake_count();
  const bool is_read = table.with_table("keep", [&](ConfigTable& keep) {
    retention = {};
    keep.read_duration("within", retention.within_ms, 0, PolicyLimits::within_ms_max);
    for (const auto& [word, count] : retention_counts)
      keep.read(word, retention.*count, 0, PolicyLimits::retention_count_max);
  });
  if (is_read && retention.is_empty() && table.reading().mistake_count() == mistakes)
    table.refuse("keep", "keeps nothing", "write within = \"7d\", or how many to keep");
}

std::optional<ReadFrom> parse_source(std::string text) {
  if (text.contains('_')) return std::nullopt;
  std::ranges::replace(text, '-', '_');
  return parse_read_from(text);
}

void read_taking(ConfigTable& table, Policy& policy) {
  table.read_as("source", policy.from, parse_source,
                R"(write "prefer-replica", "replica" or "primary")");
  table.read_as("layout", policy.layout, parse_layout, R"(write "canonical" or "stream")");
  table.read_as(
      "compression", policy.compression,
      [](const std::string& text) {
        return is_compression(text) ? std::optional(text) : std::nullopt;
      },
      R"(write "lz4", "zstd", "zstd:1" to "zstd:19" or "none")");
  table.read("retries", policy.retries, 0, PolicyLimits::retries_max);
  table.read_duration("retry_delay", policy.retry_delay_ms, PolicyLimits::retry_delay_ms_min,
                      PolicyLimits::retry_delay_ms_max);
}

}  // namespace

Policy read_policy(const std::string& name, const std::string& zone, ConfigTable& table) {
  Policy policy;
  policy.name = name;
  policy.schedule.time_zone = zone;
  if (name == "console")
    table.refuse("", "that name is for what is set in the console", "take another one");
  table.read("enabled", policy.enabled);
  read_schedule(table, policy.schedule);
  read_retention(table, policy.retention);
  read_taking(table, policy);
  read_inner_schedule(table, "verify", policy.schedule.time_zone, policy.verify);
  read_inner_schedule(table, "drill", policy.schedule.time_zone, policy.drill);
  return policy;
}

}  // namespace sluice::service
