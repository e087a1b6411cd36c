#include "engine/feed_state.h"

#include <gtest/gtest.h>

#include "engine/feed_link.h"
#include "engine/feed_undo.h"

namespace sluice::engine {
namespace {

FeedState a_state() {
  return {.target = "redis://127.0.0.1:6379",
          .backup = "20261122T090000000Z-ab",
          .instance = "shop",
          .keys = 17,
          .primary_host = "10.0.0.9",
          .primary_port = 40123,
          .replid = std::string(40, '7'),
          .settings = {{"repl-diskless-load", "disabled"}, {"save", ""}},
          .stage = FeedState::Stage::loaded,
          .started_at_ms = 1'700'000'000'123};
}

TEST(FeedState, IsReadAsItWasWritten) {
  EXPECT_EQ(decode_feed_state(encode(a_state())), a_state());
  FeedState state = a_state();
  state.settings.clear();
  for (const auto stage : {FeedState::Stage::feeding, FeedState::Stage::incomplete}) {
    state.stage = stage;
    EXPECT_EQ(decode_feed_state(encode(state)), state);
  }
}

TEST(FeedState, IsNoneOfAnythingElse) {
  for (const char* text : {"", "{", "[]", "{}", R"({"magic":"sluice-feed"})",
                           R"({"magic":"other","stage":"feeding"})"}) {
    EXPECT_EQ(decode_feed_state(text), std::nullopt) << text;
  }
  const auto odd = decode_feed_state(
      R"({"magic":"sluice-feed","stage":"feeding","keys":"x","settings":{"a":1},"primary_port":-1})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->keys, 0U);
  EXPECT_TRUE(odd->settings.empty());
}

TEST(FeedState, IsKeptUnderTheAddressOfTheTarget) {
  ServerLink link;
  link.connect.host = "db1.example.org";
  link.connect.port = 6380;
  EXPECT_EQ(target_note_name(link), "db1.example.org-6380");
  link.connect.host = "fe80::1%eth0/..";
  EXPECT_EQ(target_note_name(link), "fe80__1_eth0_..-6380");
}

TEST(FeedState, TellsWhetherATargetIsAttached) {
  const std::string info =
      "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.9\r\nmaster_port:40123\r\n";
  EXPECT_TRUE(is_attached(a_state(), info));
  FeedState other = a_state();
  other.primary_port = 40124;
  EXPECT_FALSE(is_attached(other, info));
  EXPECT_FALSE(is_attached(a_state(), "role:master\r\n"));
}

TEST(FeedState, ATargetWithAnotherHistoryHasNotAll) {
  FeedState state = a_state();
  state.stage = FeedState::Stage::loaded;
  const std::string ours = state.replid;
  const std::string other(40, '0');
  const auto history = [](const std::string& now, const std::string& before) {
    return "role:master\r\nmaster_replid:" + now + "\r\nmaster_replid2:" + before + "\r\n";
  };
  EXPECT_TRUE(has_all(state, history(ours, other)));
  EXPECT_TRUE(has_all(state, history(other, ours)));
  EXPECT_FALSE(has_all(state, history(other, other)));
  state.stage = FeedState::Stage::feeding;
  EXPECT_FALSE(has_all(state, history(ours, other)));
}

TEST(FeedAddress, IsAHostAndMaybeAPort) {
  const auto text = [](const std::string& from) {
    const auto address = parse_feed_address(from);
    return address ? address->host + " " + std::to_string(address->port) : address.error().code;
  };
  EXPECT_EQ(text("10.0.0.1"), "10.0.0.1 0");
  EXPECT_EQ(text("host:7000"), "host 7000");
  EXPECT_EQ(text("[::1]:7000"), "::1 7000");
  EXPECT_EQ(text("[::1]"), "::1 0");
  EXPECT_EQ(text("::1"), "::1 0");
  for (const char* bad :
       {"", ":1", "a:", "a:x", "a:65536", "a:-1", "a:01", "[::1", "[::1]x", "a/b"})
    EXPECT_EQ(text(bad), "bad_option") << bad;
}

}  // namespace
}  // namespace sluice::engine
