#include "engine/block_queue.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

namespace sluice::engine {
namespace {

using namespace std::chrono_literals;
using Popped = BlockQueue::Popped;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

class ScopedTmpdir {
 public:
  explicit ScopedTmpdir(const char* folder) {
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", folder, 1);
  }
  ScopedTmpdir(const ScopedTmpdir&) = delete;
  ScopedTmpdir& operator=(const ScopedTmpdir&) = delete;
  ~ScopedTmpdir() {
    if (before_) {
      ::setenv("TMPDIR", before_->c_str(), 1);
    } else {
      ::unsetenv("TMPDIR");
    }
  }

 private:
  std::optional<std::string> before_;
};

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

std::string drain(BlockQueue& queue) {
  std::string all;
  std::vector<std::byte> block;
  while (queue.pop(block, 10s) == Popped::block) {
    all += text(block);
    queue.recycle(std::move(block));
  }
  return all;
}

TEST(BlockQueue, WhatFindsNoRoomGoesToScratchAndComesBackInItsTurn) {
  BlockQueue queue(4, 2, BlockQueue::Overflow::to_scratch);
  const std::string sent = "abcdefghijklmnopqrstuvwxyz0123456789!";
  for (const char letter : sent) ASSERT_TRUE(queue.push(bytes(std::string(1, letter))));
  EXPECT_EQ(queue.scratch_bytes(), 28u);  // two blocks in memory, one byte on its way
  EXPECT_TRUE(queue.is_behind());
  queue.close();
  EXPECT_EQ(drain(queue), sent);
  EXPECT_EQ(queue.scratch_bytes(), 0u);
}

TEST(BlockQueue, WaitsAWhileForOneThatPopsALittleSlower) {
  BlockQueue queue(4, 1, BlockQueue::Overflow::to_scratch, 1s);
  ASSERT_TRUE(queue.push(bytes("abcd")));
  std::thread popper([&] {
    std::vector<std::byte> block;
    ASSERT_EQ(queue.pop(block, 1s), Popped::block);
    queue.recycle(std::move(block));
  });
  ASSERT_TRUE(queue.push(bytes("efgh")));
  popper.join();
  EXPECT_EQ(queue.scratch_bytes(), 0u);
}

TEST(BlockQueue, GoesBackToMemoryOnceScratchIsEmpty) {
  BlockQueue queue(4, 1, BlockQueue::Overflow::to_scratch);
  std::string all;
  std::vector<std::byte> block;
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(queue.push(bytes("abcdefghij")));
    EXPECT_EQ(queue.scratch_bytes(), 4u);
    while (queue.pop(block, 0ms) == Popped::block) {
      all += text(block);
      queue.recycle(std::move(block));
    }
  }
  EXPECT_EQ(all, "abcdefghijabcdefghijabcdefghij");
  EXPECT_EQ(queue.scratch_bytes(), 0u);
  EXPECT_FALSE(queue.is_behind());
}

TEST(BlockQueue, TwoThreadsOverScratchKeepTheOrder) {
  BlockQueue queue(64, 2, BlockQueue::Overflow::to_scratch, 1us);
  std::string sent;
  for (int i = 0; i < 20'000; ++i) sent += std::to_string(i) + ',';
  std::thread pusher([&] {
    for (std::size_t at = 0; at < sent.size(); at += 37)
      EXPECT_TRUE(queue.push(bytes(std::string_view(sent).substr(at, 37))));
    queue.close();
  });
  EXPECT_EQ(drain(queue), sent);
  pusher.join();
}

TEST(BlockQueue, WithoutScratchThePusherWaitsAndTheReasonIsKnown) {
  const ScopedTmpdir nowhere("/proc");
  BlockQueue queue(4, 1, BlockQueue::Overflow::to_scratch);
  ASSERT_TRUE(queue.push(bytes("abcdefgh")));  // a block in memory, one that was to go to scratch
  std::thread pusher([&] {
    EXPECT_TRUE(queue.push(bytes("ijklmnop")));
    queue.close();
  });
  EXPECT_EQ(drain(queue), "abcdefghijklmnop");
  pusher.join();
  ASSERT_TRUE(queue.overflow_problem());
  EXPECT_EQ(queue.overflow_problem()->code, "scratch_failed");
  EXPECT_FALSE(queue.error());
}

}  // namespace
}  // namespace sluice::engine
