#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "service/config_parts.h"
#include "service/listen_address.h"
#include "service/nearest_name.h"

namespace sluice::service {
namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
constexpr std::string_view local_prefix = "local:";
constexpr std::string_view exec_prefix = "exec:";

const std::vector<std::string> event_names = {"backup_failed",    "backup_small", "backup_overdue",
                                              "backup_recovered", "drill_failed", "drill_overdue",
                                              "verify_failed"};

void read_key(ConfigTable& table, const std::string& key, bool whole, std::string& path_into,
              std::optional<std::string>& secret_into) {
  std::string path;
  if (!table.read(key, path)) return;
  const FilePlaces& places = table.reading().places();
  auto secret = whole ? read_secret(places, path) : read_secret_line(places, path);
  if (!secret) {
    table.refuse(key, std::move(secret.error()));
  } else if (places.is_credential(places.secret(path))) {
    secret_into = *std::move(secret);  // the engine takes no file that root owns
  } else {
    path_into = places.secret(path).string();
  }
}

/// Exactly one of the settings has to be there.
void want_one_of(ConfigTable& table, const std::vector<std::string_view>& keys,
                 const std::string& advice) {
  std::string_view first;
  for (const std::string_view key : keys) {
    if (!table.has(key)) continue;
    if (!first.empty()) table.refuse(key, fmt::format("stands beside {}", first), advice);
    if (first.empty()) first = key;
  }
  if (first.empty()) table.refuse("", fmt::format("{} is missing", keys[0]), advice);
}

std::optional<std::string> parse_provide(const std::string& text) {
  const bool is_local = text.starts_with(local_prefix) && text.size() > local_prefix.size() + 1 &&
                        text[local_prefix.size()] == '/';
  const bool is_command = text.starts_with(exec_prefix) && text.size() > exec_prefix.size();
  return is_local || is_command ? std::optional(text) : std::nullopt;
}

void check_events(ConfigTable& table, const std::vector<std::string>& events) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (std::ranges::find(event_names, events[i]) != event_names.end()) continue;
    table.refuse("events", fmt::format("entry {} is no event", i + 1),
                 name_advice(events[i], event_names));
  }
}

bool is_webhook(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.starts_with(scheme) && text.size() > scheme.size()) return true;
  }
  return false;
}

/// A name and a value that cannot become two headers.
bool is_header(std::string_view name, std::string_view value) {
  const auto is_letter = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  };
  return !name.empty() && std::ranges::all_of(name, is_letter) &&
         value.find_first_of("\r\n") == std::string_view::npos;
}

bool is_host_name(const std::string& text) {
  return !text.empty() && text.find_first_of("/ \t@") == std::string::npos;
}

}  // namespace

RepositoryEntry read_repository(const std::string& name, ConfigTable& table) {
  RepositoryEntry entry;
  entry.name = name;
  std::string path;
  if (table.read("path", path) && !path.empty()) {
    entry.place.path = table.reading().places().file(path).string();
  } else if (!table.has("path") || path.empty()) {
    table.refuse("", "path is missing", "write path = \"/var/lib/sluice/repository\"");
  }
  RepositoryKey& key = entry.place.key;
  read_key(table, "passphrase_file", false, key.passphrase_file, key.passphrase);
  read_key(table, "key_file", true, key.key_file, key.key_bytes);
  table.read("passphrase_command", key.command);
  std::string_view first;
  for (const std::string_view one : {"passphrase_file", "key_file", "passphrase_command"}) {
    if (!table.has(one)) continue;
    if (!first.empty())
      table.refuse(one, fmt::format("stands beside {}", first), "leave one of them out");
    first = one;
  }
  table.read_duration("trash", entry.trash_ms, 0, 3650 * day_ms);
  return entry;
}

TargetEntry read_target(const std::string& name, ConfigTable& table) {
  TargetEntry entry;
  entry.name = name;
  want_one_of(table, {"provide", "uri"},
              R"(write provide = "local:/DIRECTORY" or "exec:COMMAND", or uri = "redis://HOST")");
  table.read_as("provide", entry.how, parse_provide,
                R"(write "local:/DIRECTORY", which is absolute, or "exec:COMMAND")");
  table.read("program", entry.program);
  if (table.has("program") && !entry.how.starts_with(local_prefix))
    table.refuse("program", "is for a local server", "leave it out");
  if (table.node("uri") != nullptr) {
    entry.address.emplace();
    read_server(table, *entry.address, entry.shown_uri);
  }
  return entry;
}

NotifyEntry read_notify(const std::string& name, ConfigTable& table) {
  NotifyEntry entry;
  entry.name = name;
  const std::string advice = "write url = \"https://…\" or command = \"…\"";
  want_one_of(table, {"url", "command"}, advice);
  std::string url;
  if (table.read("url", url)) {
    if (!is_webhook(url)) table.refuse("url", "is no http:// or https:// address", advice);
    entry.url = url;
  }
  table.read("command", entry.command);
  table.read_strings("headers", [&](const std::string& header, std::string value) {
    if (!is_header(header, value))
      table.refuse("headers", header + " is no header", "write Name = \"value\", on one line");
    entry.headers.emplace(header, std::move(value));
  });
  if (table.has("headers") && !table.has("url"))
    table.refuse("headers", "are for a webhook", "leave them out");
  table.read("events", entry.events);
  check_events(table, entry.events);
  return entry;
}

void read_listen(ConfigTable& table, ListenEntry& listen) {
  const auto parse = [](const std::string& text) {
    return parse_listen_address(text) ? std::optional(text) : std::nullopt;
  };
  table.read_as("address", listen.address, parse,
                R"(write "127.0.0.1:7780", "[::1]:7780" or "unix:/PATH")");
  read_file_path(table, "certificate", false, listen.certificate);
  read_file_path(table, "key", true, listen.key);
  table.read("hosts", listen.hosts);
  if (!std::ranges::all_of(listen.hosts, is_host_name))
    table.refuse("hosts", "holds what is no name of a host", "write hosts = [\"backup.example\"]");
  if (table.has("certificate") != table.has("key")) {
    table.refuse(table.has("key") ? "key" : "certificate", "stands alone",
                 "write certificate and key");
  }
  const auto address = parse_listen_address(listen.address);
  if (address && !address->is_local() && !table.has("certificate") && !table.has("key")) {
    table.refuse("address", "others could connect, and read along",
                 "write certificate and key beside it, or listen on 127.0.0.1");
  }
}

}  // namespace sluice::service
