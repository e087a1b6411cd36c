#include "engine/server_exam.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "engine/info_text.h"

namespace sluice::engine {
namespace {

namespace asio = boost::asio;

constexpr std::array<std::string_view, 4> settings{"repl-diskless-sync", "repl-timeout",
                                                   "client-output-buffer-limit", "import-mode"};
constexpr std::array<std::string_view, 4> commands{"psync", "replconf", "ping", "info"};
constexpr std::uint64_t buffer_limit_min = 64U << 20;
constexpr std::uint64_t repl_timeout_min_s = 30;

/// Hard and soft limit of the class for replicas, in "normal 0 0 0 slave 268435456 67108864 60
/// ...".
struct BufferLimit {
  std::uint64_t hard_bytes = 0;
  std::uint64_t soft_bytes = 0;
  std::uint64_t soft_seconds = 0;
};

std::optional<BufferLimit> replica_limit(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (std::size_t i = 0; i + 3 < words.size(); i += 4) {
    if (words[i] != "slave" && words[i] != "replica") continue;
    return BufferLimit{.hard_bytes = info_number(words[i + 1]),
                       .soft_bytes = info_number(words[i + 2]),
                       .soft_seconds = info_number(words[i + 3])};
  }
  return std::nullopt;
}

void judge_role(const net::ServerInfo& info, std::string_view text, Findings& findings) {
  const bool replica = info.role == "slave";
  findings.ok("server", fmt::format("{} {}, {}, {}", net::to_text(info.flavor), info.version,
                                    replica ? "replica" : "primary",
                                    info.redis_mode.empty() ? "standalone" : info.redis_mode));
  if (info.redis_mode == "sentinel")
    findings.fail("role", "a sentinel holds no data", "name the server that it watches");
  if (info.redis_mode == "cluster") {
    findings.warn("role", "a node of a cluster has only the keys of its own slots",
                  "back up each primary of the cluster, or a replica of each");
  }
  if (info.loading)
    findings.fail("loading", "it is still reading its own snapshot", "wait until it is up");
  if (replica && info_field(text, "master_link_status") != "up") {
    findings.fail("role", "a replica that has lost its primary",
                  "back up from the primary, or see why the link is down");
  }
  if (!replica && info_number(info_field(text, "connected_slaves")) > 0) {
    findings.ok("role", fmt::format("it has {} replica(s): to back up from one of them spares it "
                                    "the fork",
                                    info_number(info_field(text, "connected_slaves"))));
  }
}

/// A snapshot is made by a fork: what is written meanwhile is in memory twice.
void judge_memory(std::string_view text, Findings& findings) {
  const std::uint64_t used = info_number(info_field(text, "used_memory"));
  const std::uint64_t resident = std::max(info_number(info_field(text, "used_memory_rss")), used);
  const std::uint64_t total = info_number(info_field(text, "total_system_memory"));
  const std::uint64_t limit = info_number(info_field(text, "maxmemory"));
  if (used == 0) return;
  const std::string what =
      fmt::format("{} used{}, {} resident, {} in the machine", bytes_text(used),
                  limit > 0 ? fmt::format(" of {} at most", bytes_text(limit)) : "",
                  bytes_text(resident), bytes_text(total));
  const std::uint64_t room = total > resident ? total - resident : 0;
  constexpr auto remedy =
      "back up from a replica or at a quiet hour, or lower maxmemory; vm.overcommit_memory=1";
  if (total > 0 && room < resident / 10)
    findings.warn("memory",
                  what + ": little is left for the copy that a fork makes of what is written",
                  remedy);
  else if (total > 0 && limit > total / 10 * 9)
    findings.warn("memory", what + ": at maxmemory nothing is left for a fork", remedy);
  else
    findings.ok("memory", what);
  if (info_field(text, "rdb_last_bgsave_status") == "err") {
    findings.warn("bgsave", "its last BGSAVE failed, and a snapshot for us may fail as that did",
                  "see its log; often memory for the fork (vm.overcommit_memory=1) or disk space");
  }
}

/// What is written while a snapshot is sent piles up for the replica that it is sent to.
void judge_output_buffer(const BufferLimit& limit, std::uint64_t used, Findings& findings) {
  const std::string text =
      limit.hard_bytes == 0 && limit.soft_bytes == 0
          ? "no limit on what may pile up for a replica"
          : fmt::format("a replica is dropped when {} pile up for it, or {} for {} s",
                        limit.hard_bytes == 0 ? "no number of bytes" : bytes_text(limit.hard_bytes),
                        bytes_text(limit.soft_bytes), limit.soft_seconds);
  const std::uint64_t wanted = std::max(buffer_limit_min, used / 20);
  const bool hard_is_low = limit.hard_bytes > 0 && limit.hard_bytes < wanted;
  const bool soft_is_low = limit.soft_bytes > 0 && limit.soft_bytes < wanted / 4;
  if (hard_is_low || soft_is_low) {
    findings.warn("output_buffer", text + ": what is written while the snapshot is sent has to fit",
                  fmt::format("CONFIG SET client-output-buffer-limit \"replica {} {} 60\"",
                              std::max<std::uint64_t>(wanted, 256U << 20),
                              std::max<std::uint64_t>(wanted / 4, 64U << 20)));
  } else {
    findings.ok("output_buffer", text);
  }
}

void judge_settings(const ServerExam& exam, std::uint64_t used, Findings& findings) {
  if (exam.settings.empty()) {
    findings.ok("settings",
                "cannot be asked: this user may not use CONFIG GET, or the server has "
                "none; backups do not need it");
    return;
  }
  const auto value = [&](std::string_view name) -> std::string {
    const auto found = exam.settings.find(std::string(name));
    return found == exam.settings.end() ? "" : found->second;
  };
  if (value("repl-diskless-sync") == "no") {
    findings.warn(
        "repl_diskless_sync",
        fmt::format("repl-diskless-sync no: it writes each snapshot to its own disk first, "
                    "which needs room there for an RDB of up to {}",
                    bytes_text(used)),
        "CONFIG SET repl-diskless-sync yes");
  } else if (!value("repl-diskless-sync").empty()) {
    findings.ok("repl_diskless_sync", "repl-diskless-sync yes: snapshots do not touch its disk");
  }
  const std::uint64_t timeout_s = info_number(value("repl-timeout"));
  if (timeout_s > 0 && timeout_s < repl_timeout_min_s) {
    findings.warn("repl_timeout",
                  fmt::format("repl-timeout {}: a short stall ends the backup", timeout_s),
                  "CONFIG SET repl-timeout 60");
  }
  if (value("import-mode") == "yes") {
    findings.warn("import_mode",
                  "import-mode yes: it deletes no key whose time has come, and evicts none; a "
                  "restore or clone that was killed leaves it so",
                  "unless something imports there now: CONFIG SET import-mode no");
  }
  if (const auto limit = replica_limit(value("client-output-buffer-limit")))
    judge_output_buffer(*limit, used, findings);
}

void judge_user(const ServerExam& exam, Findings& findings) {
  const std::string user = exam.user.value_or("default");
  if (!exam.missing.empty()) {
    findings.fail("commands", fmt::format("it does not have {}", fmt::join(exam.missing, ", ")),
                  "renamed or blocked, as managed services do: back up from a server that lets "
                  "replicas in, or export its snapshot and import the RDB file");
  }
  if (!exam.denied.empty()) {
    findings.fail("user", fmt::format("{} may not use {}", user, fmt::join(exam.denied, ", ")),
                  fmt::format("ACL SETUSER {} +{}", user, fmt::join(exam.denied, " +")));
  } else if (exam.denied_known) {
    findings.ok("user", user + " may use psync, replconf, ping, info");
  } else {
    findings.ok("user", user + ": what it may use cannot be asked here");
  }
}

/// Absent where the server gives an error.
asio::awaitable<net::Result<std::optional<net::Reply>>> ask(net::Client& client,
                                                            std::vector<std::string_view> command) {
  auto reply = co_await client.call_args(command);
  if (!reply) co_return std::unexpected(reply.error());
  std::optional<net::Reply> answer;
  if (!reply->is_error()) answer = std::move(*reply);
  co_return answer;
}

std::vector<std::string_view> dry_run(std::string_view user, std::string_view command) {
  std::vector<std::string_view> words{"ACL", "DRYRUN", user, command};
  if (command == "psync") words.insert(words.end(), {"?", "-1"});
  if (command == "replconf") words.insert(words.end(), {"ack", "0"});
  return words;
}

asio::awaitable<net::Result<void>> ask_settings(net::Client& client, ServerExam& exam) {
  for (const std::string_view name : settings) {
    const std::vector<std::string_view> command{"CONFIG", "GET", name};
    auto reply = co_await ask(client, command);
    if (!reply) co_return std::unexpected(reply.error());
    if (*reply && (*reply)->elements.size() == 2)
      exam.settings[std::string(name)] = (*reply)->elements[1].text;
  }
  co_return net::Result<void>();
}

asio::awaitable<net::Result<void>> ask_rights(net::Client& client, ServerExam& exam) {
  const std::vector<std::string_view> who{"ACL", "WHOAMI"};
  auto user = co_await ask(client, who);
  if (!user) co_return std::unexpected(user.error());
  if (*user) exam.user = net::printable((*user)->text);

  std::vector<std::string_view> known{"COMMAND", "INFO"};
  known.insert(known.end(), commands.begin(), commands.end());
  auto described = co_await ask(client, known);
  if (!described) co_return std::unexpected(described.error());
  if (*described && (*described)->elements.size() == commands.size()) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      if ((*described)->elements[i].type == net::Reply::Type::null)
        exam.missing.emplace_back(commands[i]);
    }
  }
  if (!*user) co_return net::Result<void>();
  for (const std::string_view command : commands) {
    const std::vector<std::string_view> words = dry_run((*user)->text, command);
    auto verdict = co_await ask(client, words);
    if (!verdict) co_return std::unexpected(verdict.error());
    if (!*verdict) continue;  // no ACL DRYRUN, or no right to it
    exam.denied_known = true;
    if ((*verdict)->text != "OK") exam.denied.emplace_back(command);
  }
  co_return net::Result<void>();
}

}  // namespace

asio::awaitable<net::Result<ServerExam>> ask_exam(asio::any_io_executor executor, ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  auto connection = co_await log_in(executor, link);
  if (!connection) co_return std::unexpected(connection.error());
  net::Client client(**connection, options);

  ServerExam exam;
  const std::vector<std::string_view> command{"INFO"};
  auto info = co_await ask(client, command);
  if (!info) co_return std::unexpected(info.error());
  if (*info) exam.info = std::move((*info)->text);
  auto asked = co_await ask_settings(client, exam);
  if (!asked) co_return std::unexpected(asked.error());
  asked = co_await ask_rights(client, exam);
  if (!asked) co_return std::unexpected(asked.error());
  co_return exam;
}

void judge_server(const ServerExam& exam, Findings& findings) {
  const std::string_view text = exam.info ? std::string_view(*exam.info) : std::string_view();
  if (exam.info) {
    judge_role(net::parse_server_info(text), text, findings);
    judge_memory(text, findings);
  } else {
    findings.warn("server", "it answers, but not to INFO: what it is cannot be told",
                  "ACL SETUSER <user> +info; without, some refusals come only when a backup runs");
  }
  judge_settings(exam, info_number(info_field(text, "used_memory")), findings);
  judge_user(exam, findings);
}

}  // namespace sluice::engine
