#include "engine/block_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace sluice::engine {
namespace {

using namespace std::chrono_literals;
using Popped = BlockQueue::Popped;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text(const std::vector<std::byte>& block) {
  return {reinterpret_cast<const char*>(block.data()), block.size()};
}

TEST(BlockQueue, GivesBytesBackInOrderAcrossBlocks) {
  BlockQueue queue(4, 8);
  ASSERT_TRUE(queue.push(bytes("abcdefghij")));
  queue.close();
  std::string all;
  std::vector<std::byte> block;
  while (queue.pop(block, 1s) == Popped::block) {
    EXPECT_LE(block.size(), 4u);
    all += text(block);
    queue.recycle(std::move(block));
  }
  EXPECT_EQ(all, "abcdefghij");
}

TEST(BlockQueue, FillsUpTheLastBlockBeforeItTakesAnother) {
  BlockQueue queue(8, 1);
  ASSERT_TRUE(queue.push(bytes("abc")));
  ASSERT_TRUE(queue.push(bytes("def")));
  std::vector<std::byte> block;
  ASSERT_EQ(queue.pop(block, 1s), Popped::block);
  EXPECT_EQ(text(block), "abcdef");
}

TEST(BlockQueue, SaysWhenThereIsNothingYetAndWhenThereWillBeNothing) {
  BlockQueue queue(4, 1);
  std::vector<std::byte> block;
  EXPECT_EQ(queue.pop(block, 1ms), Popped::nothing_yet);
  queue.close();
  EXPECT_EQ(queue.pop(block, 1s), Popped::end);
}

TEST(BlockQueue, APusherThatWaitsForRoomIsLetGoByAbort) {
  BlockQueue queue(4, 1);
  ASSERT_TRUE(queue.push(bytes("abcd")));
  bool pushed = true;
  std::thread pusher([&] { pushed = queue.push(bytes("e")); });
  queue.abort();
  pusher.join();
  EXPECT_FALSE(pushed);
}

TEST(BlockQueue, APusherThatWaitsForRoomGoesOnWhenABlockComesBack) {
  BlockQueue queue(4, 1);
  ASSERT_TRUE(queue.push(bytes("abcd")));
  std::thread pusher([&] {
    EXPECT_TRUE(queue.push(bytes("efgh")));
    queue.close();
  });
  std::vector<std::byte> block;
  std::string all;
  while (queue.pop(block, 10s) == Popped::block) {
    all += text(block);
    queue.recycle(std::move(block));
  }
  pusher.join();
  EXPECT_EQ(all, "abcdefgh");
}

}  // namespace
}  // namespace sluice::engine
