#include "engine/command_replay.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "net/resp.h"

namespace sluice::engine {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

net::Reply ok() {
  return {.type = net::Reply::Type::simple, .text = "OK", .integer = 0, .elements = {}};
}
net::Reply error(std::string text) {
  return {.type = net::Reply::Type::error, .text = std::move(text), .integer = 0, .elements = {}};
}

/// A target that answers when it is told to.
struct Target {
  CommandReplay::Send send() {
    return [this](net::CommandBatch batch) {
      const auto sent = batch.bytes();
      received.append(reinterpret_cast<const char*>(sent.data()), sent.size());
      for (const auto& entry : batch.entries()) {
        const auto key = batch.key(entry);
        waiting.emplace_back(entry.tag,
                             std::string(reinterpret_cast<const char*>(key.data()), key.size()));
      }
      return true;
    };
  }
  void answer(CommandReplay& replay, const net::Reply& reply) {
    const auto [tag, key] = waiting.front();
    waiting.pop_front();
    replay.on_reply(tag, bytes(key), reply);
  }

  std::string received;
  std::deque<std::pair<std::uint64_t, std::string>> waiting;
};

const std::string ping = net::encode_command({"PING"});
const std::string set = net::encode_command({"SET", "k", "v"});
const std::string multi = net::encode_command({"MULTI"});
const std::string exec = net::encode_command({"EXEC"});

TEST(CommandReplay, PassesOnWhatIsForTargetsHoweverItIsCut) {
  const std::string select = net::encode_command({"SELECT", "3"});
  const std::string ack = net::encode_command({"REPLCONF", "GETACK", "*"});
  const std::string publish = net::encode_command({"publish", "news", "x"});
  const std::string large = net::encode_command({"SET", "large", std::string(700'000, 'x')});
  const std::string stream = select + ping + set + ack + large + publish + set;
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
    Target target;
    CommandReplay replay(100, target.send());
    for (std::size_t at = 0; at < stream.size(); at += step) {
      ASSERT_TRUE(replay.feed(bytes(stream).subspan(at, std::min(step, stream.size() - at))));
    }
    ASSERT_TRUE(replay.flush());
    EXPECT_TRUE(target.received == select + set + large + set) << step;
    EXPECT_EQ(target.waiting.size(), 4u);
    EXPECT_EQ(replay.read_offset(), 100 + stream.size());
    EXPECT_EQ(replay.applied_offset(), 100u);
    while (!target.waiting.empty()) target.answer(replay, ok());
    EXPECT_EQ(replay.applied_offset(), 100 + stream.size());
    EXPECT_EQ(replay.commands(), 4u);
  }
}

TEST(CommandReplay, IsAtTheOffsetOfWhatTheTargetAnswered) {
  Target target;
  CommandReplay replay(0, target.send());
  ASSERT_TRUE(replay.feed(bytes(set + set)) && replay.flush());
  target.answer(replay, ok());
  EXPECT_EQ(replay.applied_offset(), set.size());
  target.answer(replay, ok());
  EXPECT_EQ(replay.applied_offset(), 2 * set.size());
  ASSERT_TRUE(replay.feed(bytes(ping)));
  EXPECT_EQ(replay.applied_offset(), 2 * set.size() + ping.size())
      << "there is nothing to wait for";
}

TEST(CommandReplay, ATransactionIsAppliedAsAWhole) {
  Target target;
  CommandReplay replay(0, target.send());
  ASSERT_TRUE(replay.feed(bytes(set + multi + set)) && replay.flush());
  EXPECT_FALSE(replay.at_rest());
  for (int i = 0; i < 3; ++i) target.answer(replay, ok());
  EXPECT_EQ(replay.applied_offset(), set.size());
  ASSERT_TRUE(replay.feed(bytes(exec)) && replay.flush());
  EXPECT_TRUE(replay.at_rest());
  EXPECT_EQ(replay.applied_offset(), set.size());
  target.answer(replay, ok());
  EXPECT_EQ(replay.applied_offset(), replay.read_offset());
}

TEST(CommandReplay, TellsWhatTheTargetRefused) {
  Target target;
  CommandReplay replay(0, target.send());
  ASSERT_TRUE(replay.feed(bytes(set + multi + set + exec)) && replay.flush());
  target.answer(replay, error("OOM no room"));
  target.answer(replay, ok());
  target.answer(replay, ok());
  net::Reply results{.type = net::Reply::Type::array, .text = {}, .integer = 0, .elements = {}};
  results.elements = {ok(), error("WRONGTYPE it is another")};
  target.answer(replay, results);
  EXPECT_EQ(replay.error_count(), 2u);
  EXPECT_EQ(replay.errors(),
            (std::vector<std::string>{"SET: OOM no room", "EXEC: WRONGTYPE it is another"}));
}

}  // namespace
}  // namespace sluice::engine
