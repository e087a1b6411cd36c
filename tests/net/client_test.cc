#include "net/client.h"

#include <gtest/gtest.h>

#include <map>

#include "fake_server.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

using Task = std::function<asio::awaitable<Result<std::string>>(Client&)>;

asio::awaitable<Result<std::string>> with_client(ConnectOptions connect, ClientOptions options,
                                                 Task task) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, connect);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  Client client(**connection, options);
  auto running = task(client);
  co_return co_await std::move(running);
}

Result<std::string> talk(const FakeServer& server, Task task, ClientOptions options = {}) {
  asio::io_context io;
  return run(io, with_client(server.options(), options, std::move(task)));
}

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

asio::awaitable<Result<std::string>> get_twice(Client& client) {
  auto first = co_await client.call("GET", "a");
  if (!first) co_return std::unexpected(std::move(first.error()));
  auto second = co_await client.call("GET", std::string(2, 'b'));
  if (!second) co_return std::unexpected(std::move(second.error()));
  co_return first->text + second->text;
}

TEST(Client, GivesEachCallItsReply) {
  FakeServer server([](Peer& peer) {
    EXPECT_EQ(peer.read_command(), (std::vector<std::string>{"GET", "a"}));
    peer.send("$3\r\none\r\n");
    EXPECT_EQ(peer.read_command(), (std::vector<std::string>{"GET", "bb"}));
    peer.send("-ERR no\r\n");
    peer.wait_for_close();
  });
  EXPECT_EQ(talk(server, get_twice), "oneERR no");
}

TEST(Client, TimesOutAndReportsAClose) {
  FakeServer silent([](Peer& peer) { peer.wait_for_close(); });
  ClientOptions options;
  options.silence_timeout = 30ms;
  const auto late = talk(silent, get_twice, options);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Errc::timed_out);
  EXPECT_NE(late.error().detail.find("127.0.0.1:"), std::string::npos);

  FakeServer closing([](Peer& peer) { peer.read_command(), peer.send("$3\r\no"); });
  EXPECT_EQ(talk(closing, get_twice).error().code, Errc::closed_by_peer);
}

TEST(Client, RefusesAReplyAboveItsLimits) {
  FakeServer server([](Peer& peer) { peer.read_command(), peer.send("$1000\r\n"); });
  ClientOptions options;
  options.limits.bulk_bytes_max = 999;
  EXPECT_EQ(talk(server, get_twice, options).error().code, Errc::reply_too_large);
}

asio::awaitable<Result<std::string>> sign_in(Client& client) {
  auto result = co_await authenticate(client, "bob", "hunter2");
  if (!result) co_return std::unexpected(std::move(result.error()));
  auto selected = co_await select_db(client, 3);
  if (!selected) co_return std::unexpected(std::move(selected.error()));
  co_return "in";
}

asio::awaitable<Result<std::string>> sign_in_with_nothing(Client& client) {
  auto result = co_await authenticate(client, "", "");
  if (!result) co_return std::unexpected(std::move(result.error()));
  auto selected = co_await select_db(client, 0);
  co_return selected ? "in" : "out";
}

TEST(Client, AuthenticatesAndSelects) {
  FakeServer server([](Peer& peer) {
    EXPECT_EQ(peer.read_command(), (std::vector<std::string>{"AUTH", "bob", "hunter2"}));
    peer.send("+OK\r\n");
    EXPECT_EQ(peer.read_command(), (std::vector<std::string>{"SELECT", "3"}));
    peer.send("+OK\r\n");
    peer.wait_for_close();
  });
  EXPECT_EQ(talk(server, sign_in), "in");
  FakeServer idle([](Peer& peer) { EXPECT_TRUE(peer.read_command().empty()); });
  EXPECT_EQ(talk(idle, sign_in_with_nothing), "in");
}

TEST(Client, AFailedSignInNeverShowsThePassword) {
  const std::pair<std::string, Errc> cases[] = {
      {"-WRONGPASS invalid username-password pair\r\n", Errc::auth_failed},
      {"-ERR unknown command `AUTH`, with args beginning with: `bob`, `hunter2`, \r\n",
       Errc::auth_failed},
      {"+OK\r\n-ERR DB index is out of range\r\n", Errc::refused},
  };
  for (const auto& [reply, code] : cases) {
    FakeServer server([&](Peer& peer) {
      peer.read_command();
      peer.send(reply);
      peer.wait_for_close();
    });
    const auto result = talk(server, sign_in);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code);
    EXPECT_EQ(result.error().detail.find("hunter2"), std::string::npos);
  }
}

asio::awaitable<Result<std::string>> who(Client& client) {
  auto info = co_await fetch_server_info(client);
  if (!info) co_return std::unexpected(std::move(info.error()));
  co_return std::string(to_text(info->flavor)) + " " + info->version + " " + info->role +
      (info->loading ? " loading" : "");
}

TEST(Client, AsksWhoTheServerIs) {
  FakeServer server([](Peer& peer) {
    const std::map<std::string, std::string> sections{
        {"server", "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.0\r\n"},
        {"replication", "# Replication\r\nrole:slave\r\n"},
        {"persistence", "# Persistence\r\nloading:1\r\n"}};
    for (int i = 0; i < 3; ++i) peer.send(bulk(sections.at(peer.read_command().at(1))));
    peer.wait_for_close();
  });
  EXPECT_EQ(talk(server, who), "valkey 8.1.0 slave loading");
}

TEST(Client, ToleratesAServerThatDoesNotTellWhoItIs) {
  for (const std::string reply : {"-NOPERM no\r\n", "-ERR unknown command 'INFO'\r\n"}) {
    FakeServer server([&](Peer& peer) {
      peer.read_command();
      peer.send(reply);
      peer.wait_for_close();
    });
    EXPECT_EQ(talk(server, who), "unknown  ");
  }
  FakeServer server([](Peer& peer) { peer.read_command(), peer.send("-NOAUTH x\r\n"); });
  EXPECT_EQ(talk(server, who).error().code, Errc::auth_required);
}

TEST(ServerInfo, TellsTheFlavorsApart) {
  const auto redis = parse_server_info(
      "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:abc\r\n"
      "executable:/usr/bin/redis-server\r\n# Replication\r\nrole:master\r\nloading:0\r\n"
      "master_repl_offset:4711\r\n");
  EXPECT_EQ(redis.flavor, Flavor::redis);
  EXPECT_EQ(redis.version, "7.0.15");
  EXPECT_EQ(redis.major, 7u);
  EXPECT_EQ(redis.minor, 0u);
  EXPECT_EQ(redis.patch, 15u);
  EXPECT_EQ(redis.redis_mode, "standalone");
  EXPECT_EQ(redis.run_id, "abc");
  EXPECT_EQ(redis.role, "master");
  EXPECT_FALSE(redis.loading);
  EXPECT_EQ(redis.repl_offset, 4711u);

  for (const std::string_view text :
       {"redis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.0.1\nserver_mode:cluster\n",
        "valkey_version:9.0.1\nredis_version:7.2.4\nserver_mode:cluster"}) {
    const auto valkey = parse_server_info(text);
    EXPECT_EQ(valkey.flavor, Flavor::valkey);
    EXPECT_EQ(valkey.version, "9.0.1");
    EXPECT_EQ(valkey.redis_version, "7.2.4");
    EXPECT_EQ(valkey.major, 9u);
    EXPECT_EQ(valkey.redis_mode, "cluster");
  }
  const auto dragonfly =
      parse_server_info("redis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\n");
  EXPECT_EQ(dragonfly.flavor, Flavor::dragonfly);
  EXPECT_EQ(dragonfly.major, 1u);
  EXPECT_EQ(dragonfly.minor, 27u);
  const auto keydb =
      parse_server_info("redis_version:6.3.4\r\nexecutable:/usr/bin/keydb-server\r\n");
  EXPECT_EQ(keydb.flavor, Flavor::keydb);
  EXPECT_EQ(keydb.minor, 3u);
}

TEST(ServerInfo, TakesAnyText) {
  for (const std::string_view text :
       {"", "\n", ":", "redis_version", "redis_version:", "redis_version:x", "redis_version:7..",
        "#a:b\r\n\r\n:\r\n"}) {
    EXPECT_EQ(parse_server_info(text).minor, 0u);
  }
  EXPECT_EQ(parse_server_info("redis_version:99999999999.1.2").major, 0u);
  EXPECT_EQ(parse_server_info("redis_version:255.255.255").major, 255u);
}

}  // namespace
}  // namespace sluice::net
