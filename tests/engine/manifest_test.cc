#include "engine/manifest.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice::engine {
namespace {

Manifest example() {
  Manifest manifest;
  manifest.source = {.uri = "redis://h:1/0",
                     .server = "redis",
                     .version = "7.0.15",
                     .rdb_version = 10,
                     .replid = std::string(40, 'a'),
                     .offset = ~std::uint64_t{0}};
  manifest.dialect = "redis";
  manifest.crc = "ok";
  manifest.crc64 = 0xfedcba9876543210;
  manifest.raw_bytes = 1ULL << 50;
  manifest.keys = 3;
  manifest.types = {{"hash", 1}, {"string", 2}};
  manifest.databases = {{0, 2}, {15, 1}};
  manifest.functions = 1;
  manifest.aux = {{"redis-ver", "7.0.15"}, {"odd", "\\x00\\xff"}};
  manifest.long_values = {{.record = 2, .value_bytes = 600'000'000}};
  manifest.started_at_ms = 1'700'000'000'123;
  manifest.finished_at_ms = 1'700'000'001'456;
  return manifest;
}

TEST(Manifest, ReadsBackWhatItWrote) {
  const Manifest manifest = example();
  const auto read = decode_manifest(encode(manifest), "x");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(encode(*read), encode(manifest));
  EXPECT_EQ(read->source.offset, manifest.source.offset);
  EXPECT_EQ(read->crc64, manifest.crc64);
  EXPECT_EQ(read->long_values, manifest.long_values);
  EXPECT_FALSE(read->digest.has_value());
}

TEST(Manifest, KeepsTheShardsOfACluster) {
  Manifest manifest = example();
  EXPECT_EQ(encode(manifest).find("shards"), std::string::npos);
  manifest.shards = {{.source = manifest.source,
                      .node_id = std::string(40, 'b'),
                      .from_replica = true,
                      .slots = {{0, 99}, {200, 200}},
                      .keys = 2}};
  const auto read = decode_manifest(encode(manifest), "x");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(encode(*read), encode(manifest));
  ASSERT_EQ(read->shards.size(), 1U);
  EXPECT_EQ(read->shards[0].slots[1].first, 200U);
  EXPECT_TRUE(read->shards[0].from_replica);
}

TEST(Manifest, KeepsTheDigestsPlace) {
  Manifest manifest = example();
  manifest.digest = "00ff";
  EXPECT_EQ(decode_manifest(encode(manifest), "x")->digest, "00ff");
  EXPECT_EQ(decode_manifest(encode(manifest), "x")->undecodable, 0U);
  manifest.undecodable = 3;
  EXPECT_EQ(decode_manifest(encode(manifest), "x")->undecodable, 3U);
}

TEST(Manifest, TextOfAHostileDumpStaysReadableAndHarmless) {
  Manifest manifest = example();
  manifest.source.uri = "file:caf\xe9.rdb";
  manifest.source.version = "7.\xff\x1b[31m";
  manifest.source = printable(manifest.source);
  const auto read = decode_manifest(encode(manifest), "x");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->source.uri, "file:caf\\xe9.rdb");
  EXPECT_EQ(read->source.version, "7.\\xff\\x1b[31m");
}

TEST(Manifest, RefusesLengthsAndTimesThatCannotBe) {
  Manifest manifest = example();
  manifest.long_values = {{.record = 2, .value_bytes = ~std::uint64_t{0} - 4}};
  EXPECT_EQ(decode_manifest(encode(manifest), "x").error().code, "corrupt");
  manifest.long_values = {{.record = 2, .value_bytes = 9}, {.record = 2, .value_bytes = 9}};
  EXPECT_EQ(decode_manifest(encode(manifest), "x").error().code, "corrupt");
  manifest = example();
  manifest.finished_at_ms = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(decode_manifest(encode(manifest), "x").error().code, "corrupt");
}

TEST(Manifest, IgnoresFieldsItDoesNotKnow) {
  std::string text = encode(example());
  text.insert(1, R"("from_the_future":{"a":[1]},)");
  EXPECT_TRUE(decode_manifest(text, "x").has_value());
}

TEST(Manifest, RefusesANewerVersionByName) {
  std::string text = encode(example());
  const std::string version = R"("version":1,)";
  text.replace(text.find(version), version.size(), R"("version":2,)");
  const auto read = decode_manifest(text, "20261122T000000000Z-00000000");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, "unsupported_format");
  EXPECT_NE(read.error().message.find("20261122T000000000Z-00000000"), std::string::npos);
}

TEST(Manifest, CallsEveryDamageCorrupt) {
  const std::string text = encode(example());
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    const auto read = decode_manifest(text.substr(0, cut), "x");
    ASSERT_FALSE(read.has_value()) << cut;
    EXPECT_EQ(read.error().code, "corrupt");
  }
  EXPECT_EQ(decode_manifest("[]", "x").error().code, "corrupt");
  EXPECT_EQ(decode_manifest(R"({"version":1})", "x").error().code, "corrupt");
  EXPECT_EQ(decode_manifest(R"({"version":"one"})", "x").error().code, "corrupt");
}

}  // namespace
}  // namespace sluice::engine
