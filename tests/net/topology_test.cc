#include "net/topology.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "net/topology_reply.h"

namespace sluice::net {
namespace {

/// A reply of a real server, kept in tests/data/topologies.
Reply reply_of(const std::string& name) {
  std::ifstream file(SLUICE_TEST_DATA "/topologies/" + name + ".resp", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string bytes = text.str();
  ReplyParser parser;
  const auto fed = parser.feed(std::as_bytes(std::span(bytes)));
  EXPECT_TRUE(fed && parser.done()) << name;
  return parser.take();
}

Result<Topology> topology_of(const std::string& name, const AskedNode& asked = {"seed", false}) {
  const Reply reply = reply_of(name);
  return name.ends_with("-shards") ? parse_cluster_shards(reply, asked)
                                   : parse_cluster_slots(reply, asked);
}

std::string ranges_of(const Topology& topology) {
  std::string text;
  for (const Shard& shard : topology.shards()) text += to_text(shard.slots) + " ";
  return text;
}

const std::vector<std::string> newer{"redis70", "redis86", "valkey81", "valkey91"};

TEST(Topology, OfAWholeClusterHasPrimariesAndReplicas) {
  for (const std::string& server : newer) {
    SCOPED_TRACE(server);
    const auto topology = topology_of(server + "-whole-shards");
    ASSERT_TRUE(topology.has_value()) << topology.error().detail;
    EXPECT_EQ(ranges_of(*topology), "0-5460 5461-10921 10922-16383 ");
    EXPECT_TRUE(topology->uncovered().empty());
    for (const Shard& shard : topology->shards()) {
      EXPECT_EQ(shard.primary.address.host, "127.0.0.1");
      EXPECT_EQ(shard.primary.id.size(), 40U);
      EXPECT_FALSE(shard.primary.failed);
      ASSERT_EQ(shard.replicas.size(), 1U);
      EXPECT_FALSE(shard.replicas[0].failed);
    }
    EXPECT_EQ(topology->addresses().size(), 6U);
    EXPECT_EQ(topology->owner(5461), 1U);
  }
}

TEST(Topology, BySlotsIsTheSame) {
  for (const std::string server : {"redis60", "redis70", "redis86", "valkey81", "valkey91"}) {
    SCOPED_TRACE(server);
    const auto topology = topology_of(server + "-whole-slots");
    ASSERT_TRUE(topology.has_value()) << topology.error().detail;
    EXPECT_EQ(ranges_of(*topology), "0-5460 5461-10921 10922-16383 ");
    EXPECT_EQ(topology->shards()[0].primary.address.host, "127.0.0.1");
    EXPECT_NE(topology->shards()[0].primary.address.port, 0);
  }
  EXPECT_EQ(topology_of("redis60-whole-slots")->shards()[2].replicas.size(), 1U);
}

// "?" is no name but stands for a missing one; nothing at all means the host that was asked.
TEST(Topology, FindsNodesWhateverTheyAreCalled) {
  for (const std::string& server : newer) {
    for (const std::string kind : {"-shards", "-slots"}) {
      SCOPED_TRACE(server + kind);
      const auto by_name = topology_of(server + "-hostname" + kind);
      ASSERT_TRUE(by_name.has_value());
      EXPECT_EQ(by_name->shards()[1].primary.address.host, "127.0.0.1");
      const auto unknown = topology_of(server + "-unknown-endpoint" + kind);
      ASSERT_TRUE(unknown.has_value());
      EXPECT_EQ(unknown->shards()[1].primary.address.host, "seed");
      EXPECT_EQ(unknown->shards()[1].primary.address.port,
                by_name->shards()[1].primary.address.port);
    }
  }
}

TEST(Topology, TakesTheHostThatWasAskedForANodeThatDoesNotKnowItsOwn) {
  for (const std::string server : {"redis60-alone-slots", "redis70-alone-shards",
                                   "redis86-alone-slots", "valkey91-alone-shards"}) {
    SCOPED_TRACE(server);
    const auto topology = topology_of(server);
    ASSERT_TRUE(topology.has_value());
    ASSERT_EQ(topology->shards().size(), 1U);
    EXPECT_EQ(topology->shards()[0].primary.address.host, "seed");
    EXPECT_EQ(to_text(topology->shards()[0].slots), "0-99,5000");
    EXPECT_EQ(topology->shards()[0].slot_count(), 101U);
    EXPECT_EQ(to_text(topology->uncovered()), "100-4999,5001-16383");
    EXPECT_FALSE(topology->owner(100).has_value());
  }
}

TEST(Topology, ReadsIpv6) {
  for (const std::string server : {"redis60-ipv6-slots", "redis86-ipv6-shards",
                                   "valkey81-ipv6-slots", "valkey91-ipv6-shards"}) {
    SCOPED_TRACE(server);
    const auto topology = topology_of(server);
    ASSERT_TRUE(topology.has_value());
    const HostPort& address = topology->shards()[0].primary.address;
    EXPECT_EQ(address.host, "::1");
    EXPECT_TRUE(to_text(address).starts_with("[::1]:"));
  }
}

// A shard has two primaries then, or the failed one a shard of its own without slots.
TEST(Topology, TakesThePrimaryThatIsAliveAfterAFailover) {
  for (const std::string& server : newer) {
    SCOPED_TRACE(server);
    const auto topology = topology_of(server + "-failed-over-shards");
    ASSERT_TRUE(topology.has_value());
    const auto by_slots = topology_of(server + "-failed-over-slots");
    ASSERT_TRUE(by_slots.has_value());
    ASSERT_EQ(topology->shards().size(), 3U);
    EXPECT_FALSE(topology->shards()[2].primary.failed);
    EXPECT_EQ(topology->shards()[2].primary.id, by_slots->shards()[2].primary.id);
    EXPECT_TRUE(moves_between(*topology, *by_slots).empty());
  }
}

TEST(Topology, KnowsAShardThatIsDown) {
  const auto valkey = topology_of("valkey91-shard-down-shards");
  ASSERT_TRUE(valkey.has_value());
  ASSERT_EQ(valkey->shards().size(), 3U);
  EXPECT_TRUE(valkey->shards()[1].primary.failed);
  EXPECT_TRUE(valkey->shards()[1].replicas[0].failed);

  // Here it has lost its slots, which CLUSTER SLOTS still shows; who has failed is known all the
  // same.
  const auto redis = topology_of("redis86-shard-down-shards");
  ASSERT_TRUE(redis.has_value());
  EXPECT_EQ(to_text(redis->uncovered()), "5461-10921");
  auto slots = topology_of("redis86-shard-down-slots");
  ASSERT_TRUE(slots.has_value());
  EXPECT_FALSE(slots->shards()[1].primary.failed);
  slots->mark_failed(parse_failed_nodes(reply_of("redis86-shard-down-shards")));
  EXPECT_TRUE(slots->shards()[1].primary.failed);
  EXPECT_FALSE(slots->shards()[2].primary.failed);
}

TEST(Topology, RefusesWhatIsNone) {
  const AskedNode asked{"seed", false};
  EXPECT_FALSE(parse_cluster_shards(Reply{}, asked).has_value());
  EXPECT_FALSE(parse_cluster_slots(Reply{}, asked).has_value());
  EXPECT_FALSE(parse_cluster_slots(reply_of("redis70-whole-shards"), asked).has_value());
  EXPECT_FALSE(parse_cluster_shards(reply_of("redis70-whole-slots"), asked).has_value());
  Reply twice = reply_of("redis70-whole-slots");
  twice.elements.push_back(twice.elements[0]);
  EXPECT_FALSE(parse_cluster_slots(twice, asked).has_value());
  Reply beyond = reply_of("redis70-whole-slots");
  beyond.elements[2].elements[1].integer = 16384;
  EXPECT_FALSE(parse_cluster_slots(beyond, asked).has_value());
}

ClusterNode node(const std::string& id) {
  return {.id = id, .address = {.host = id, .port = 1}, .failed = false};
}

TEST(Topology, TellsWhatMoved) {
  const auto before =
      Topology::of({{{{0, 99}}, node("a"), {node("b")}}, {{{100, 199}}, node("c"), {}}});
  const auto same = Topology::of({{{{0, 99}}, node("b"), {}}, {{{100, 199}}, node("c"), {}}});
  const auto after = Topology::of({{{{0, 49}}, node("a"), {}},
                                   {{{50, 99}, {100, 189}}, node("c"), {}},
                                   {{{190, 195}}, node("d"), {}}});
  ASSERT_TRUE(before && same && after);
  EXPECT_TRUE(moves_between(*before, *same).empty());
  const auto moves = moves_between(*before, *after);
  ASSERT_EQ(moves.size(), 2U);
  EXPECT_EQ(moves[0].slots, (SlotRange{50, 99}));
  EXPECT_EQ(moves[0].from, 0U);
  EXPECT_EQ(moves[0].to, 1U);
  EXPECT_EQ(moves[1].slots, (SlotRange{190, 199}));  // to a node that was not there, and to nobody
  EXPECT_FALSE(moves[1].to.has_value());
}

TEST(Topology, ReadsWhichSlotsAreBeingMoved) {
  const std::string nodes =
      "8d02 127.0.0.1:44861@54861 myself,master - 0 1795576616000 1 connected 0-5460 "
      "[5000->-92d0] [5001-<-ab2a]\n"
      "92d0 127.0.0.1:40323@50323 master - 0 1795576615819 2 connected 5461-10921 [7->-x]\n";
  const auto migrations = parse_migrations(nodes);
  ASSERT_EQ(migrations.size(), 2U);
  EXPECT_EQ(migrations[0], (Migration{.slot = 5000, .leaves = true, .peer = "92d0"}));
  EXPECT_EQ(migrations[1], (Migration{.slot = 5001, .leaves = false, .peer = "ab2a"}));
  EXPECT_TRUE(parse_migrations("").empty());
  EXPECT_TRUE(parse_migrations("x myself [] [1] [99999->-a] [1->").empty());
}

}  // namespace
}  // namespace sluice::net
