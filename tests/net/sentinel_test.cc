#include "net/sentinel.h"

#include <gtest/gtest.h>

#include "fake_server.h"
#include "net/uri.h"

namespace sluice::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

TEST(SentinelUri, HasHostsMasterAndCredentials) {
  const auto uri = parse_sentinel_uri(
      "redis-sentinel://bob:p%40w@h1:26379,h2,[::1]:7?master=main&sentinel-password=x%3d");
  ASSERT_TRUE(uri.has_value()) << uri.error().detail;
  EXPECT_EQ(uri->sentinels, (std::vector<HostPort>{{"h1", 26379}, {"h2", 26379}, {"::1", 7}}));
  EXPECT_EQ(uri->master, "main");
  EXPECT_EQ(uri->user, "bob");
  EXPECT_EQ(uri->password, "p@w");
  EXPECT_EQ(uri->sentinel_password, "x=");
  EXPECT_EQ(to_display(*uri), "redis-sentinel://h1:26379,h2:26379,[::1]:7?master=main");
}

TEST(SentinelUri, RefusesWhatIsNone) {
  for (const char* text : {"redis-sentinel://h", "redis-sentinel://h?master=", "redis://h?master=m",
                           "redis-sentinel://h?master=m&x=1", "redis-sentinel://h:0?master=m"}) {
    EXPECT_FALSE(parse_sentinel_uri(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_uri("redis-sentinel://h?master=m").has_value());
}

Reply bulk(std::string text) {
  Reply reply;
  reply.type = Reply::Type::bulk;
  reply.text = std::move(text);
  return reply;
}

Reply list(std::vector<Reply> elements) {
  Reply reply;
  reply.type = Reply::Type::array;
  reply.elements = std::move(elements);
  return reply;
}

Reply replica(const char* port, const char* flags, const char* link) {
  return list({bulk("name"), bulk("x"), bulk("ip"), bulk("10.0.0.1"), bulk("port"), bulk(port),
               bulk("flags"), bulk(flags), bulk("master-link-status"), bulk(link)});
}

TEST(Sentinel, TakesReplicasThatAreUp) {
  const auto replicas = parse_sentinel_replicas(
      list({replica("1", "slave", "ok"), replica("2", "s_down,slave,disconnected", "ok"),
            replica("x", "slave", "ok")}));
  ASSERT_EQ(replicas.size(), 1U);
  EXPECT_EQ(replicas[0].address, (HostPort{"10.0.0.1", 1}));
}

Result<Shard> find(std::vector<HostPort> sentinels, std::string password = {},
                   std::chrono::milliseconds patience = 0ms) {
  SentinelSearch search;
  search.sentinels = std::move(sentinels);
  search.master = "main";
  search.server.password = std::move(password);
  search.patience = patience;
  asio::io_context io;
  return run(io, find_by_sentinel(io.get_executor(), search));
}

std::string master_reply(std::uint16_t port) {
  const std::string text = std::to_string(port);
  return "*2\r\n$9\r\n127.0.0.1\r\n$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

FakeServer::Script sentinel_for(std::uint16_t port) {
  return [port](Peer& peer) {
    EXPECT_EQ(peer.read_command()[1], "get-master-addr-by-name");
    peer.send(master_reply(port));
    EXPECT_EQ(peer.read_command()[1], "replicas");
    peer.send("*0\r\n");
  };
}

FakeServer::Script role(std::string text) {
  return [text](Peer& peer) {
    EXPECT_EQ(peer.read_command()[0], "ROLE");
    peer.send("*1\r\n$" + std::to_string(text.size()) + "\r\n" + text + "\r\n");
  };
}

TEST(Sentinel, AsksTheNextOneWhenOneIsGoneOrKnowsNothing) {
  FakeServer server(role("master"));
  FakeServer knows_nothing([](Peer& peer) {
    peer.read_command();
    peer.send("*-1\r\n");
    peer.read_command();
    peer.send("-ERR No such master with that name\r\n");
  });
  FakeServer knows(sentinel_for(server.port()));
  const auto found =
      find({{"127.0.0.1", 1}, {"127.0.0.1", knows_nothing.port()}, {"127.0.0.1", knows.port()}});
  ASSERT_TRUE(found.has_value()) << found.error().detail;
  EXPECT_EQ(found->primary.address, (HostPort{"127.0.0.1", server.port()}));
}

TEST(Sentinel, IsNotBelievedWhenTheServerIsAReplicaByNow) {
  FakeServer server(std::vector<FakeServer::Script>{role("slave"), role("slave")});
  FakeServer sentinel(
      std::vector<FakeServer::Script>{sentinel_for(server.port()), sentinel_for(server.port())});
  const auto found = find({{"127.0.0.1", sentinel.port()}}, {}, 700ms);
  ASSERT_FALSE(found.has_value());
  EXPECT_NE(found.error().detail.find("no primary any more"), std::string::npos);
}

TEST(Sentinel, IsAskedWithoutTheServersPasswordWhenItWantsNone) {
  FakeServer server([](Peer& peer) {
    EXPECT_EQ(peer.read_command()[0], "AUTH");
    peer.send("+OK\r\n");
    peer.read_command();
    peer.send("*1\r\n$6\r\nmaster\r\n");
  });
  FakeServer sentinel(std::vector<FakeServer::Script>{
      [](Peer& peer) {
        EXPECT_EQ(peer.read_command()[0], "AUTH");
        peer.send("-ERR AUTH <password> called without any password configured\r\n");
      },
      sentinel_for(server.port())});
  const auto found = find({{"127.0.0.1", sentinel.port()}}, "pw");
  EXPECT_TRUE(found.has_value()) << found.error().detail;
}

}  // namespace
}  // namespace sluice::net
