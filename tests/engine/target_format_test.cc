#include "engine/target_format.h"

#include <gtest/gtest.h>

namespace sluice::engine {
namespace {

using rdb::Dialect;
using rdb::Header;

net::ServerInfo server(net::Flavor flavor, std::uint32_t major, std::uint32_t minor) {
  net::ServerInfo info;
  info.flavor = flavor;
  info.major = major;
  info.minor = minor;
  return info;
}

unsigned version(net::Flavor flavor, std::uint32_t major, std::uint32_t minor) {
  return rdb_format_of(server(flavor, major, minor)).value().version;
}

TEST(TargetFormat, IsWhatTheServerWritesItself) {
  EXPECT_EQ(version(net::Flavor::redis, 2, 8), 6u);
  EXPECT_EQ(version(net::Flavor::redis, 6, 0), 9u);
  EXPECT_EQ(version(net::Flavor::redis, 7, 0), 10u);
  EXPECT_EQ(version(net::Flavor::redis, 7, 2), 11u);
  EXPECT_EQ(version(net::Flavor::redis, 8, 0), 12u);
  EXPECT_EQ(version(net::Flavor::redis, 8, 6), 13u);
  EXPECT_EQ(version(net::Flavor::redis, 9, 1), 14u);
  EXPECT_EQ(version(net::Flavor::valkey, 8, 1), 11u);
  EXPECT_EQ(version(net::Flavor::valkey, 9, 1), 80u);
  EXPECT_EQ(rdb_format_of(server(net::Flavor::valkey, 9, 0))->dialect, Dialect::valkey);
  EXPECT_EQ(rdb_format_of(server(net::Flavor::redis, 0, 0)), std::nullopt);
  EXPECT_EQ(rdb_format_of(server(net::Flavor::unknown, 7, 0)), std::nullopt);
}

TEST(TargetFormat, NewerAndForeignStreamsNeedConversion) {
  const Header redis11{Dialect::redis, 11};
  const Header redis12{Dialect::redis, 12};
  const Header valkey{Dialect::valkey, 80};
  EXPECT_FALSE(needs_conversion(redis11, redis11));
  EXPECT_FALSE(needs_conversion(redis11, redis12));
  EXPECT_TRUE(needs_conversion(redis12, redis11));
  EXPECT_FALSE(needs_conversion(redis11, valkey));
  EXPECT_TRUE(needs_conversion(redis12, valkey));
  EXPECT_TRUE(needs_conversion(valkey, redis12));
  EXPECT_FALSE(needs_conversion(valkey, valkey));
}

}  // namespace
}  // namespace sluice::engine
