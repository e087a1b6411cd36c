#include "engine/feed_target.h"

#include <gtest/gtest.h>

namespace sluice::engine {
namespace {

FeedTarget a_target() {
  FeedTarget target;
  target.info.flavor = net::Flavor::redis;
  target.info.role = "master";
  target.info.redis_mode = "standalone";
  target.replid = std::string(40, 'c');
  target.port = 6379;
  target.ends = {.local = "10.0.0.9", .remote = "10.0.0.1", .remote_port = 6379};
  target.settings = {{"databases", "16"}, {"tls-replication", "no"}, {"maxmemory", "0"}};
  return target;
}

Manifest a_manifest() {
  Manifest manifest;
  manifest.databases = {{0, 10}, {15, 1}};
  return manifest;
}

std::string refusal(const FeedTarget& target, const Manifest& manifest, bool will_flush = false) {
  const auto error = refuse_feed(target, manifest, will_flush, "redis://t");
  return error ? error->code + ": " + error->message : "";
}

TEST(FeedTarget, IsTakenWhenItIsEmptyAndFits) { EXPECT_EQ(refusal(a_target(), a_manifest()), ""); }

TEST(FeedTarget, IsRefusedForWhatItHolds) {
  FeedTarget target = a_target();
  target.keys = 3;
  EXPECT_TRUE(refusal(target, a_manifest())
                  .starts_with("target_not_empty: target redis://t holds "
                               "3 key(s)"));
  EXPECT_EQ(refusal(target, a_manifest(), true), "");
  target.keys = 0;
  target.functions = 1;
  EXPECT_TRUE(refusal(target, a_manifest()).contains("1 function libraries"));
}

TEST(FeedTarget, IsRefusedForWhatWouldEndIt) {
  FeedTarget target = a_target();
  target.settings["databases"] = "15";
  EXPECT_TRUE(refusal(target, a_manifest()).contains("--databases 16"));
  target = a_target();
  target.settings.clear();
  EXPECT_TRUE(refusal(target, a_manifest()).starts_with("no_permission"));
  target = a_target();
  target.settings["tls-replication"] = "yes";
  EXPECT_TRUE(refusal(target, a_manifest()).contains("tls-replication"));
  Manifest manifest = a_manifest();
  manifest.undecodable = 1;
  EXPECT_TRUE(refusal(a_target(), manifest).starts_with("backup_unsuitable"));
}

TEST(FeedTarget, IsRefusedForItsRole) {
  for (const char* mode : {"cluster", "sentinel"}) {
    FeedTarget target = a_target();
    target.info.redis_mode = mode;
    EXPECT_NE(refusal(target, a_manifest()), "") << mode;
  }
  FeedTarget target = a_target();
  target.info.role = "slave";
  EXPECT_TRUE(refusal(target, a_manifest(), true).contains("replica"));
  target = a_target();
  target.info.loading = true;
  EXPECT_TRUE(refusal(target, a_manifest(), true).starts_with("loading"));
  target = a_target();
  target.info.flavor = net::Flavor::dragonfly;
  EXPECT_TRUE(refusal(target, a_manifest(), true).contains("--mode restore"));
}

TEST(FeedTarget, NeedsTheModulesOfTheBackup) {
  constexpr std::uint64_t vector_sets = 0xBDE72DA2BB1EB400;
  FeedTarget target = a_target();
  EXPECT_FALSE(refuse_modules(target, {}, "redis://t"));
  const auto error = refuse_modules(target, {vector_sets}, "redis://t");
  ASSERT_TRUE(error);
  EXPECT_TRUE(error->message.contains("vectorset"));
  target.modules = {"lua", "vectorset"};
  EXPECT_FALSE(refuse_modules(target, {vector_sets}, "redis://t"));
}

TEST(FeedTarget, IsKnownByItsAddressAndPortOrItsHistory) {
  net::ReplicaPeer peer;
  peer.address = "10.0.0.1";
  peer.listening_port = 6379;
  peer.replid = "?";
  FeedTarget target = a_target();
  EXPECT_TRUE(is_feed_target(target, peer));
  peer.listening_port = 6380;
  EXPECT_FALSE(is_feed_target(target, peer));
  target.settings["replica-announce-port"] = "6380";
  EXPECT_TRUE(is_feed_target(target, peer));
  peer.address = "10.0.0.2";
  EXPECT_FALSE(is_feed_target(target, peer));
  peer.replid = target.replid;  // by way of a gateway
  EXPECT_TRUE(is_feed_target(target, peer));
  target.replid.clear();
  peer.replid.clear();
  EXPECT_FALSE(is_feed_target(target, peer));
}

TEST(FeedTarget, IsSetToLoadFromTheSocketWhereItCan) {
  FeedTarget target = a_target();
  EXPECT_EQ(diskless_load_to_set(target), std::nullopt);  // before 6.0
  target.settings["repl-diskless-load"] = "disabled";
  EXPECT_EQ(diskless_load_to_set(target), "on-empty-db");
  target.settings["repl-diskless-load"] = "on-empty-db";
  EXPECT_EQ(diskless_load_to_set(target), std::nullopt);
}

TEST(FeedTarget, IsWarnedOfWhenMemoryMayNotDo) {
  FeedTarget target = a_target();
  Manifest manifest = a_manifest();
  manifest.raw_bytes = 100;
  manifest.aux = {{"used-mem", "2000000"}};
  EXPECT_TRUE(feed_warnings(target, manifest).empty());
  target.settings["maxmemory"] = "1000000";
  ASSERT_EQ(feed_warnings(target, manifest).size(), 1U);
  EXPECT_TRUE(feed_warnings(target, manifest)[0].contains("maxmemory"));
}

}  // namespace
}  // namespace sluice::engine
