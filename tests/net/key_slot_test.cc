#include "net/key_slot.h"

#include <gtest/gtest.h>

#include <string_view>

namespace sluice::net {
namespace {

std::uint16_t slot_of(std::string_view key) { return key_slot(std::as_bytes(std::span(key))); }

// What CLUSTER KEYSLOT of Redis 7.0 says.
TEST(KeySlot, IsThatOfTheServers) {
  EXPECT_EQ(slot_of(""), 0);
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of("123456789"), 0x31c3);
  EXPECT_EQ(slot_of("user:{foo}:a"), 12182);
}

TEST(KeySlot, TakesTheFirstTagThatIsNotEmpty) {
  EXPECT_EQ(slot_of("{foo}{bar}"), slot_of("foo"));
  EXPECT_EQ(slot_of("{{foo}}"), slot_of("{foo"));
  EXPECT_NE(slot_of("{}foo"), slot_of("foo"));
  EXPECT_NE(slot_of("{foo"), slot_of("foo"));
  bool has_tag = false;
  const std::string_view key = "a{}{b}";
  static_cast<void>(key_slot(std::as_bytes(std::span(key)), has_tag));
  EXPECT_FALSE(has_tag);
}

}  // namespace
}  // namespace sluice::net
