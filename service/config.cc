#include "service/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>

#include "service/config_check.h"
#include "service/config_parts.h"
#include "service/config_reader.h"
#include "service/listen_address.h"
#include "service/nearest_name.h"
#include "service/quantity.h"

namespace sluice::service {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;

Error bad_config(std::string message) {
  return {.stage = Stage::usage, .code = "bad_config", .message = std::move(message)};
}

Result<std::string> read_file(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (file && !file.bad()) return std::move(text).str();
  return std::unexpected(Error{.stage = Stage::usage,
                               .code = "open_failed",
                               .message = "configuration " + path + ": " +
                                          std::generic_category().message(errno) +
                                          "; sluice serve --init writes one"});
}

void read_service(ConfigTable& table, Config& config) {
  std::string state;
  if (table.read("state", state) && !state.empty())
    config.state = table.reading().places().file(state).string();
  table.read_as(
      "time_zone", config.time_zone,
      [](const std::string& text) {
        return is_time_zone(text) ? std::optional(text) : std::nullopt;
      },
      R"(write an IANA name, as "UTC" or "Europe/Berlin")");
  table.read_as(
      "memory", config.memory_bytes,
      [](const std::string& text) {
        const auto bytes = parse_size(text);
        return bytes && *bytes >= BackupOptions::memory_bytes_min ? bytes : std::nullopt;
      },
      R"(write a size of "128M" or more, as "384M" or "1G")");
  table.read("jobs", config.jobs, 1, 256);
  table.read_duration("overdue", config.overdue_ms, 60'000, 365 * day_ms);
  table.read("shrink_ratio", config.shrink_ratio, 0, 1);
  table.read_duration("job_history", config.job_history_ms, day_ms, 3650 * day_ms);
  table.read("drill_target", config.drill_target);
}

/// Groups, each with the policy of its instances that name none.
using Groups = std::map<std::string, std::string>;

Groups read_groups(ConfigTable& root) {
  Groups groups;
  root.for_each("groups", [&](const std::string& name, ConfigTable& table) {
    table.read("policy", groups[name]);
  });
  return groups;
}

InstanceEntry read_instance(const std::string& name, const Groups& groups, ConfigTable& table) {
  InstanceEntry entry;
  entry.name = name;
  read_server(table, entry.address, entry.shown_uri);
  table.read("repository", entry.repository);
  const bool has_group = table.read("group", entry.group);
  const auto group = groups.find(entry.group);
  if (group != groups.end()) {
    entry.policy = group->second;
  } else if (has_group) {
    std::vector<std::string> known;
    for (const auto& [one, unused] : groups) known.push_back(one);
    table.refuse("group", "there is no [groups] table of that name",
                 name_advice(entry.group, known));
  }
  table.read("policy", entry.policy);
  return entry;
}

void read_entries(ConfigTable& root, Config& config) {
  root.for_each("repositories", [&](const std::string& name, ConfigTable& table) {
    config.repositories.push_back(read_repository(name, table));
  });
  root.for_each("policies", [&](const std::string& name, ConfigTable& table) {
    config.policies.push_back(read_policy(name, config.time_zone, table));
  });
  const Groups groups = read_groups(root);
  root.for_each("instances", [&](const std::string& name, ConfigTable& table) {
    config.instances.push_back(read_instance(name, groups, table));
  });
  root.for_each("targets", [&](const std::string& name, ConfigTable& table) {
    config.targets.push_back(read_target(name, table));
  });
  root.for_each("notify", [&](const std::string& name, ConfigTable& table) {
    config.notify.push_back(read_notify(name, table));
  });
}

std::size_t line_in(const toml::table& root, std::string_view table, std::string_view name,
                    std::string_view key) {
  std::size_t line = 1;
  const toml::table* at = &root;
  for (const std::string_view step : {table, name, key}) {
    if (step.empty()) continue;
    const auto found = at->find(step);
    if (found == at->end()) return line;
    line = found->first.source().begin.line;
    at = found->second.as_table();
    if (at == nullptr) return line;
  }
  return line;
}

template <class Entry>
const Entry* find_named(const std::vector<Entry>& entries, const std::string& name) {
  const auto found = std::ranges::find(entries, name, &Entry::name);
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace

const RepositoryEntry* Config::repository(const std::string& name) const {
  return find_named(repositories, name);
}
const InstanceEntry* Config::instance(const std::string& name) const {
  return find_named(instances, name);
}
const TargetEntry* Config::target(const std::string& name) const {
  return find_named(targets, name);
}
const Policy* Config::policy(const std::string& name) const { return find_named(policies, name); }

Result<Config> read_config(const std::string& file) {
  const auto text = read_file(file);
  if (!text) return std::unexpected(text.error());
  ConfigReading reading(file);
  toml::table root;
  try {
    root = toml::parse(*text, std::string_view(file));
  } catch (const toml::parse_error& error) {
    reading.tell(error.source().begin.line, std::string(error.description()),
                 "write it as TOML has it; what else is wrong is told when that is right");
    return std::unexpected(bad_config(reading.text()));
  }
  Config config;
  config.file = file;
  config.state = "/var/lib/sluice/state";
  config.time_zone = "UTC";
  ConfigTable table(root, "", 1, reading);
  table.with_table("service", [&](ConfigTable& service) { read_service(service, config); });
  table.with_table("listen", [&](ConfigTable& listen) { read_listen(listen, config.listen); });
  const auto address = parse_listen_address(config.listen.address);
  config.metrics_open = !address || address->is_local();
  table.with_table("metrics",
                   [&](ConfigTable& metrics) { metrics.read("open", config.metrics_open); });
  read_entries(table, config);
  table.finish();
  check_config(config, reading,
               [&](auto in, auto name, auto key) { return line_in(root, in, name, key); });
  if (reading.mistake_count() > 0) return std::unexpected(bad_config(reading.text()));
  return config;
}

}  // namespace sluice::service
