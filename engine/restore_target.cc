#include "engine/restore_target.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "engine/info_text.h"

namespace sluice::engine {
namespace {

namespace asio = boost::asio;

net::Error refused(std::string detail) {
  return {.code = net::Errc::refused, .detail = std::move(detail)};
}

/// Keys over all databases. Errors: as refusal() says.
asio::awaitable<net::Result<std::uint64_t>> ask_keys(net::Client& client) {
  auto keyspace = co_await client.call("INFO", "keyspace");
  if (!keyspace) co_return std::unexpected(keyspace.error());
  if (keyspace->is_error()) {
    co_return std::unexpected(net::refusal("INFO keyspace", keyspace->text));
  }
  co_return info_keys(keyspace->text);
}

/// CONFIG GET of a number; absent when the user may not ask or the server does not know it.
asio::awaitable<net::Result<std::optional<std::uint64_t>>> config_number(net::Client& client,
                                                                         std::string name) {
  auto reply = co_await client.call("CONFIG", "GET", name);
  if (!reply) co_return std::unexpected(reply.error());
  std::optional<std::uint64_t> number;
  if (reply->elements.size() == 2) {
    const std::string& text = reply->elements[1].text;
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec == std::errc() && end == text.data() + text.size()) number = value;
  }
  co_return number;
}

net::Result<void> refuse_unsuitable(const net::ServerInfo& info) {
  if (info.loading) {
    return std::unexpected(net::Error{.code = net::Errc::loading, .detail = "INFO"});
  }
  if (info.role == "slave") {
    return std::unexpected(
        refused("it is a replica: what is written there is lost; restore into its primary"));
  }
  if (info.redis_mode == "cluster") {
    return std::unexpected(
        refused("it is a cluster node: --cluster restores into the whole of its cluster"));
  }
  if (info.redis_mode == "sentinel") {
    return std::unexpected(refused("it is a sentinel, which holds no data"));
  }
  return {};
}

}  // namespace

asio::awaitable<net::Result<TargetLimits>> ask_limits(net::Client& client) {
  TargetLimits limits;
  auto bulk = co_await config_number(client, "proto-max-bulk-len");
  if (!bulk) co_return std::unexpected(bulk.error());
  auto query = co_await config_number(client, "client-query-buffer-limit");
  if (!query) co_return std::unexpected(query.error());
  limits.bulk_bytes_max = bulk->value_or(limits.bulk_bytes_max);
  limits.query_bytes_max = query->value_or(limits.query_bytes_max);
  co_return limits;
}

asio::awaitable<net::Result<ReadyTarget>> look_at_target(asio::any_io_executor executor,
                                                         ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  auto connection = co_await log_in(executor, link);
  if (!connection) co_return std::unexpected(connection.error());
  net::Client client(**connection, options);

  auto info = co_await net::fetch_server_info(client);
  if (!info) co_return std::unexpected(info.error());
  auto suitable = refuse_unsuitable(*info);
  if (!suitable) co_return std::unexpected(suitable.error());

  auto keys = co_await ask_keys(client);
  if (!keys) co_return std::unexpected(keys.error());
  auto limits = co_await ask_limits(client);
  if (!limits) co_return std::unexpected(limits.error());

  ReadyTarget target;
  target.connection = std::move(*connection);
  target.info = std::move(*info);
  target.keys = *keys;
  target.limits = *limits;
  co_return std::move(target);
}

asio::awaitable<net::Result<void>> flush_target(net::Connection& connection, ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  net::Client client(connection, options);
  auto flushed = co_await client.call("FLUSHALL");
  if (!flushed) co_return std::unexpected(flushed.error());
  if (flushed->is_error()) co_return std::unexpected(net::refusal("FLUSHALL", flushed->text));
  auto functions = co_await client.call("FUNCTION", "FLUSH");
  if (!functions) co_return std::unexpected(functions.error());
  if (functions->is_error()) {
    net::Error refusal = net::refusal("FUNCTION FLUSH", functions->text);
    // Servers before 7.0 do not know the command and have nothing to flush.
    if (refusal.code == net::Errc::no_permission) co_return std::unexpected(std::move(refusal));
  }
  co_return net::Result<void>();
}

asio::awaitable<net::Result<std::uint64_t>> count_target_keys(net::Connection& connection,
                                                              ServerLink link) {
  const net::ClientOptions options{.silence_timeout = link.timeout, .limits = {}};
  net::Client client(connection, options);
  co_return co_await ask_keys(client);
}

}  // namespace sluice::engine
