#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/calendar.h"
#include "sluice/backup.h"
#include "sluice/prune.h"
#include "sluice/repository.h"
#include "sluice/result.h"
#include "sluice/retention.h"
#include "sluice/server.h"

namespace sluice::service {

/// When an instance is backed up and what is kept. What the console sets has the same fields.
struct Policy {
  std::string name;  ///< Of the table in the file; "console" for one that was set there.
  bool enabled = true;
  Schedule schedule;
  RetentionPolicy retention = {.within_ms = 7LL * 24 * 3600 * 1000};
  ReadFrom from = ReadFrom::prefer_replica;
  BackupLayout layout = BackupLayout::canonical;
  std::string compression = "lz4";
  unsigned retries = 3;                  ///< After the first try.
  std::int64_t retry_delay_ms = 60'000;  ///< Before the first retry; doubles each time.
  std::optional<Schedule> verify;        ///< The newest backup is checked to the digest.
  std::optional<Schedule> drill;         ///< A random backup is restored and compared.
};

struct RepositoryEntry {
  std::string name;
  RepositoryPlace place;
  std::int64_t trash_ms = 7LL * 24 * 3600 * 1000;
};

struct InstanceEntry {
  std::string name;
  std::string group;       ///< Empty: none.
  std::string repository;  ///< Name of one.
  ServerAddress address;   ///< With its password.
  std::string shown_uri;   ///< Without.
  std::string policy;      ///< Name of one; empty: only by hand.
};

/// Where clones may go: a server that is provided, or one that is there.
struct TargetEntry {
  std::string name;
  std::string how;                       ///< As ProvisionOptions::how; empty: `address`.
  std::string program;                   ///< As there.
  std::optional<ServerAddress> address;  ///< Of one that is there; everything in it is replaced.
  std::string shown_uri;
};

struct ListenEntry {
  std::string address = "127.0.0.1:7780";  ///< "HOST:PORT", "[V6]:PORT" or "unix:PATH".
  std::string certificate;                 ///< PEM; both or none.
  std::string key;
  std::vector<std::string> hosts;  ///< Names that a Host header may have beside the address's.
};

/// Who is told when something went wrong.
struct NotifyEntry {
  std::string name;
  std::string url;      ///< http(s) webhook that is sent JSON; or
  std::string command;  ///< for /bin/sh, which has the JSON on standard input.
  std::map<std::string, std::string> headers;  ///< Of the webhook; may hold secrets.
  std::vector<std::string> events;             ///< Empty: all.
};

struct Config {
  std::string file;       ///< That it was read from.
  std::string state;      ///< Directory of the service's own state.
  std::string time_zone;  ///< IANA name; for policies that name none.
  ListenEntry listen;
  std::uint64_t memory_bytes = 384ULL << 20;  ///< Of all running jobs together.
  unsigned jobs = 8;                          ///< That run at once, at most.
  bool metrics_open = true;  ///< /metrics without a token; by default where only this machine asks.
  double shrink_ratio =
      0.5;  ///< A backup with fewer keys or bytes than so much of the last is told.
  std::int64_t overdue_ms = 2LL * 3600 * 1000;  ///< So long after its time a backup is overdue.
  std::int64_t job_history_ms = 90LL * 24 * 3600 * 1000;
  std::string drill_target;  ///< Name of a target with `how` "local…"; empty: no drills.
  std::vector<RepositoryEntry> repositories;
  std::vector<InstanceEntry> instances;
  std::vector<TargetEntry> targets;
  std::vector<Policy> policies;
  std::vector<NotifyEntry> notify;

  [[nodiscard]] const RepositoryEntry* repository(const std::string& name) const;
  [[nodiscard]] const InstanceEntry* instance(const std::string& name) const;
  [[nodiscard]] const TargetEntry* target(const std::string& name) const;
  [[nodiscard]] const Policy* policy(const std::string& name) const;
};

/// Reads and checks a configuration file. ${NAME} in a string is the environment's; ${file:PATH}
/// the first line of a file (below $CREDENTIALS_DIRECTORY when PATH is relative and that is set).
/// Every mistake is told, one a line, each with its line in the file and what to write instead.
/// Errors: "bad_config" with all of these; "open_failed".
[[nodiscard]] Result<Config> read_config(const std::string& file);

/// The file that `serve --init` writes: every setting with its default, commented.
[[nodiscard]] std::string starting_config();

/// A policy as the API has it, and back. Errors: "bad_policy".
[[nodiscard]] std::string to_json(const Policy& policy);
[[nodiscard]] Result<Policy> policy_from_json(const std::string& json,
                                              const std::string& default_zone);

}  // namespace sluice::service
