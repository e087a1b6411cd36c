#include "net/client.h"

#include <array>
#include <charconv>
#include <utility>

#include "net/handshake.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t read_size = 64UL << 10;

std::uint32_t take_number(std::string_view& text) {
  std::uint32_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with('.')) text.remove_prefix(1);
  return ec == std::errc() ? value : 0;
}

void parse_version(ServerInfo& info) {
  std::string_view text = info.version;
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  info.major = take_number(text);
  info.minor = take_number(text);
  info.patch = take_number(text);
}

void take_field(ServerInfo& info, std::string_view name, std::string_view value) {
  if (name == "redis_version") {
    info.redis_version = value;
    if (info.flavor != Flavor::unknown) return;
    info.flavor = Flavor::redis;
    info.version = value;
  } else if (name == "valkey_version") {
    info.flavor = Flavor::valkey;
    info.version = value;
  } else if (name == "dragonfly_version") {
    info.flavor = Flavor::dragonfly;
    info.version = value;
  } else if (name == "executable" && value.contains("keydb") && info.flavor == Flavor::redis) {
    info.flavor = Flavor::keydb;  // KeyDB keeps its own version in redis_version
  } else if (name == "run_id") {
    info.run_id = value;
  } else if (name == "role") {
    info.role = value;
  } else if (name == "redis_mode" || name == "server_mode") {
    info.redis_mode = value;
  } else if (name == "loading") {
    info.loading = value == "1";
  } else if (name == "master_link_status") {
    info.primary_link_up = value == "up";
  } else if (name == "master_repl_offset") {
    std::from_chars(value.data(), value.data() + value.size(), info.repl_offset);
  }
}

}  // namespace

Client::Client(Connection& connection, ClientOptions options)
    : connection_(connection), options_(options), parser_(options.limits), buffer_(read_size) {}

asio::awaitable<Result<Reply>> Client::call_args(std::span<const std::string_view> args) {
  std::string command;
  append_command(command, args);
  return call_encoded(std::move(command));
}

asio::awaitable<Result<Reply>> Client::call_encoded(std::string command) {
  return with_silence_limit(exchange(std::move(command)), connection_.activity(),
                            options_.silence_timeout,
                            "waiting for a reply of " + connection_.address());
}

asio::awaitable<Result<Reply>> Client::exchange(std::string command) {
  const auto bytes = std::as_bytes(std::span(command));
  auto written = co_await connection_.write_all(bytes);
  if (!written) co_return std::unexpected(std::move(written.error()));
  while (true) {
    const auto taken = parser_.feed(inbox_);
    if (!taken) co_return std::unexpected(taken.error());
    inbox_ = inbox_.subspan(*taken);
    if (parser_.done()) co_return parser_.take();
    const auto size = co_await connection_.read_some(buffer_);
    if (!size) co_return std::unexpected(size.error());
    inbox_ = std::span(buffer_).first(*size);
  }
}

asio::awaitable<Result<void>> authenticate(Client& client, std::string user, std::string password) {
  if (user.empty() && password.empty()) co_return Result<void>();
  auto asked = user.empty() ? client.call("AUTH", password) : client.call("AUTH", user, password);
  auto reply = co_await std::move(asked);
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  if (reply->is_error()) co_return std::unexpected(auth_refusal(reply->text));
  co_return Result<void>();
}

asio::awaitable<Result<void>> select_db(Client& client, std::uint32_t db) {
  if (db == 0) co_return Result<void>();
  const std::string number = std::to_string(db);
  auto reply = co_await client.call("SELECT", number);
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  if (reply->is_error()) co_return std::unexpected(refusal("SELECT " + number, reply->text));
  co_return Result<void>();
}

std::string_view to_text(Flavor flavor) noexcept {
  switch (flavor) {
    case Flavor::unknown: return "unknown";
    case Flavor::redis: return "redis";
    case Flavor::valkey: return "valkey";
    case Flavor::keydb: return "keydb";
    case Flavor::dragonfly: return "dragonfly";
  }
  return "unknown";
}

ServerInfo parse_server_info(std::string_view info_text) {
  ServerInfo info;
  while (!info_text.empty()) {
    const std::size_t end = std::min(info_text.find('\n'), info_text.size());
    std::string_view line = info_text.substr(0, end);
    info_text.remove_prefix(std::min(end + 1, info_text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    take_field(info, line.substr(0, colon), line.substr(colon + 1));
  }
  parse_version(info);
  return info;
}

asio::awaitable<Result<ServerInfo>> fetch_server_info(Client& client) {
  constexpr std::array<std::string_view, 3> sections{"server", "replication", "persistence"};
  std::string text;
  for (const std::string_view section : sections) {
    auto reply = co_await client.call("INFO", section);
    if (!reply) co_return std::unexpected(std::move(reply.error()));
    if (!reply->is_error()) {
      text += reply->text;
      continue;
    }
    Error error = refusal("INFO", reply->text);
    if (error.code == Errc::no_permission || error.code == Errc::command_unknown) break;
    co_return std::unexpected(std::move(error));
  }
  co_return parse_server_info(text);
}

}  // namespace sluice::net
