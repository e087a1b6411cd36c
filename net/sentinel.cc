#include "net/sentinel.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

#include "net/client.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

std::uint16_t parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  return ec == std::errc() && end == text.data() + text.size() ? port : std::uint16_t{0};
}

Login login_of(const SentinelSearch& search, const HostPort& sentinel, bool with_password) {
  Login login = search.server.at(sentinel);
  const bool own = !search.user.empty() || !search.password.empty();
  if (own || !with_password) {
    login.user = search.user;
    login.password = search.password;
  }
  return login;
}

/// Sentinels often have no password where their servers have one, and then refuse it.
asio::awaitable<Result<std::unique_ptr<Connection>>> enter(asio::any_io_executor executor,
                                                           const SentinelSearch& search,
                                                           HostPort sentinel) {
  Login login = login_of(search, sentinel, true);
  auto connection = co_await log_in(executor, login);
  const bool refused = !connection && connection.error().code == Errc::auth_failed;
  if (!refused || !search.user.empty() || !search.password.empty()) co_return connection;
  Login open = login_of(search, sentinel, false);
  auto without = co_await log_in(executor, open);
  co_return without;
}

asio::awaitable<Result<Shard>> ask(Client& client, std::string master) {
  auto address = co_await client.call("SENTINEL", "get-master-addr-by-name", master);
  if (!address) co_return std::unexpected(std::move(address.error()));
  if (address->is_error()) co_return std::unexpected(refusal("SENTINEL", address->text));
  Shard shard;
  shard.primary.address = parse_master_address(*address);
  if (shard.primary.address.host.empty()) {
    std::string detail = fmt::format("the sentinel knows no master '{}'", printable(master));
    co_return std::unexpected(Error{.code = Errc::refused, .detail = std::move(detail)});
  }
  auto replicas = co_await client.call("SENTINEL", "replicas", master);
  if (!replicas) co_return std::unexpected(std::move(replicas.error()));
  if (replicas->is_error()) {  // before 5.0
    replicas = co_await client.call("SENTINEL", "slaves", master);
    if (!replicas) co_return std::unexpected(std::move(replicas.error()));
  }
  shard.replicas = parse_sentinel_replicas(*replicas);
  co_return shard;
}

asio::awaitable<Result<Shard>> ask_sentinel(asio::any_io_executor executor,
                                            const SentinelSearch& search, HostPort sentinel) {
  auto entering = enter(executor, search, sentinel);
  auto connection = co_await std::move(entering);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  ClientOptions options;
  options.silence_timeout = search.server.silence_timeout;
  Client client(**connection, options);
  auto asking = ask(client, search.master);
  co_return co_await std::move(asking);
}

Result<void> judge_role(const Reply& role, const std::string& address) {
  if (role.is_error()) {
    Error error = refusal("ROLE", role.text);
    // Who may not ask is told the truth by the server itself, later.
    if (error.code == Errc::no_permission) return {};
    return std::unexpected(std::move(error));
  }
  if (!role.elements.empty() && role.elements[0].text == "master") return {};
  return std::unexpected(
      Error{.code = Errc::refused, .detail = address + " is no primary any more"});
}

/// A sentinel may not have heard yet of a failover that others have made.
asio::awaitable<Result<void>> require_primary(asio::any_io_executor executor, Login login) {
  auto connection = co_await log_in(executor, login);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  ClientOptions options;
  options.silence_timeout = login.silence_timeout;
  Client client(**connection, options);
  auto role = co_await client.call("ROLE");
  if (!role) co_return std::unexpected(std::move(role.error()));
  co_return judge_role(*role, address_of(login.connect));
}

/// One round over all sentinels.
asio::awaitable<Result<Shard>> ask_all(asio::any_io_executor executor,
                                       const SentinelSearch& search) {
  Error last{.code = Errc::connect_failed, .detail = "no sentinel was given"};
  for (const HostPort& sentinel : search.sentinels) {
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return std::unexpected(cancelled_error());
    auto shard = co_await ask_sentinel(executor, search, sentinel);
    if (!shard) {
      last = std::move(shard.error());
      last.detail = fmt::format("sentinel {}: {}", to_text(sentinel), last.detail);
      continue;
    }
    Login login = search.server.at(shard->primary.address);
    auto is_primary = co_await require_primary(executor, login);
    if (is_primary) co_return shard;
    last = std::move(is_primary.error());
  }
  co_return std::unexpected(std::move(last));
}

/// Whether it may be otherwise in a moment.
bool may_pass(const Error& error) {
  return error.code == Errc::connect_failed || error.code == Errc::closed_by_peer ||
         error.code == Errc::loading ||
         (error.code == Errc::refused && error.detail.contains("no primary any more"));
}

}  // namespace

HostPort parse_master_address(const Reply& reply) {
  if (reply.elements.size() != 2) return {};
  return {.host = reply.elements[0].text, .port = parse_port(reply.elements[1].text)};
}

std::vector<ClusterNode> parse_sentinel_replicas(const Reply& reply) {
  std::vector<ClusterNode> nodes;
  for (const Reply& entry : reply.elements) {
    ClusterNode node;
    bool is_down = false;
    for (std::size_t i = 0; i + 1 < entry.elements.size(); i += 2) {
      const std::string& name = entry.elements[i].text;
      const std::string& value = entry.elements[i + 1].text;
      if (name == "ip") node.address.host = value;
      if (name == "port") node.address.port = parse_port(value);
      if (name == "runid") node.id = value;
      if (name == "flags") is_down = value.contains("s_down") || value.contains("o_down");
    }
    const bool usable = !is_down && !node.address.host.empty() && node.address.port != 0;
    if (usable) nodes.push_back(std::move(node));
  }
  return nodes;
}

asio::awaitable<Result<Shard>> find_by_sentinel(asio::any_io_executor executor,
                                                SentinelSearch search) {
  co_await asio::this_coro::throw_if_cancelled(false);
  constexpr std::chrono::milliseconds pause(500);
  const auto deadline = std::chrono::steady_clock::now() + search.patience;
  while (true) {
    auto shard = co_await ask_all(executor, search);
    if (shard || !may_pass(shard.error())) co_return shard;
    if (std::chrono::steady_clock::now() + pause > deadline) co_return shard;
    const bool waited = co_await passed(pause);
    if (!waited) co_return std::unexpected(cancelled_error());
  }
}

}  // namespace sluice::net
