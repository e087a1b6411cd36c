#include "engine/memory_model.h"

#include <gtest/gtest.h>

namespace sluice::engine {
namespace {

using Layout = MemoryModel::Layout;

TEST(MemoryModel, KnowsTheSizeClassesOfJemalloc) {
  EXPECT_EQ(MemoryModel::allocation(0), 8u);
  EXPECT_EQ(MemoryModel::allocation(8), 8u);
  EXPECT_EQ(MemoryModel::allocation(9), 16u);
  EXPECT_EQ(MemoryModel::allocation(33), 48u);
  EXPECT_EQ(MemoryModel::allocation(128), 128u);
  EXPECT_EQ(MemoryModel::allocation(129), 160u);
  EXPECT_EQ(MemoryModel::allocation(257), 320u);
  EXPECT_EQ(MemoryModel::allocation(4096), 4096u);
  EXPECT_EQ(MemoryModel::allocation(4097), 5120u);
  EXPECT_EQ(MemoryModel::allocation(100'010), 114'688u);
  EXPECT_EQ(MemoryModel::allocation(UINT64_MAX), UINT64_MAX);
}

TEST(MemoryModel, ChoosesTheLayoutOfTheServer) {
  const auto name = [](std::string_view field, std::string_view version) {
    return MemoryModel::of_version(field, version).name();
  };
  EXPECT_EQ(name("redis-ver", "7.0.15"), "redis");
  EXPECT_EQ(name("redis-ver", "8.0.2"), "redis");
  EXPECT_EQ(name("redis-ver", "8.6.3"), "redis-8.2");
  EXPECT_EQ(name("redis-ver", "255.255.255"), "redis-8.2");
  EXPECT_EQ(name("valkey-ver", "8.0.1"), "redis");
  EXPECT_EQ(name("valkey-ver", "8.1.1"), "valkey-8.1");
  EXPECT_EQ(name("valkey-ver", "9.1.2"), "valkey-9");
  EXPECT_EQ(name("redis-ver", ""), "redis");
  EXPECT_EQ(name("redis-ver", "99999999999999999999.x"), "redis");
}

// What MEMORY USAGE said of such keys: Redis 7.0.15, 8.6.3, Valkey 9.1.2.
TEST(MemoryModel, TellsOfStringsWhatAServerDoes) {
  const MemoryModel redis(Layout::dict);
  EXPECT_EQ(redis.string_key(2, 0, false, false), 64u);
  EXPECT_EQ(redis.string_key(3, 44, false, false), 96u);
  EXPECT_EQ(redis.string_key(3, 45, false, false), 112u);
  EXPECT_EQ(redis.string_key(4, 300, false, false), 368u);
  EXPECT_EQ(redis.string_key(7, 100'000, false, false), 114'744u);
  EXPECT_EQ(redis.string_key(2, 6, true, false), 48u);
  EXPECT_EQ(redis.string_key(40, 1, false, false), 104u);
  const MemoryModel kvobj(Layout::kvobj);
  EXPECT_EQ(kvobj.string_key(2, 0, false, false), 32u);
  EXPECT_EQ(kvobj.string_key(20, 1, false, false), 48u);
  EXPECT_EQ(kvobj.string_key(31, 1, false, false), 64u);
  const MemoryModel valkey(Layout::hashtable, true);
  EXPECT_EQ(valkey.string_key(10, 1, false, false), 32u);
  EXPECT_EQ(valkey.string_key(4, 100, false, false), 128u);
}

TEST(MemoryModel, GrowsTablesByPowersOfTwo) {
  const MemoryModel redis(Layout::dict);
  EXPECT_EQ(redis.table(1000), 56u + 1024 * 8 + 1000 * 24);
  EXPECT_EQ(redis.table(0), 56u + 4 * 8);
  // hash of 1000 fields, "field:000000" and "value:000000": 64,296 on Redis 7.0
  EXPECT_EQ(redis.key(5, false) + redis.table(1000) + 1000 * redis.hash_field(12, 12), 64'296u);
}

}  // namespace
}  // namespace sluice::engine
