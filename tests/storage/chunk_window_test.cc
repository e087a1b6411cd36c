#include "storage/chunk_window.h"

#include <gtest/gtest.h>

namespace sluice::storage {
namespace {

/// A backup of tables only: add() takes the blobs of a chunk as {pack, offset, stored bytes}.
class Window : public testing::Test {
 protected:
  void add(std::initializer_list<std::array<std::uint32_t, 3>> blobs) {
    backup_.chunks.push_back({.first_blob = static_cast<std::uint32_t>(backup_.blobs.size()),
                              .blob_count = static_cast<std::uint16_t>(blobs.size())});
    for (const auto& [pack, offset, stored] : blobs)
      backup_.blobs.push_back({.pack = pack, .stored_bytes = stored, .offset = offset});
  }
  /// `count` chunks of one blob each, one behind another in pack 0.
  void add_row(std::uint32_t count, std::uint32_t stored) {
    for (std::uint32_t i = 0; i < count; ++i) {
      add({{0, next_, stored}});
      next_ += 64 + stored;
    }
  }
  [[nodiscard]] ChunkWindow plan(std::uint32_t first) const {
    return plan_window(backup_, first, static_cast<std::uint32_t>(backup_.chunks.size()));
  }

  Backup backup_;
  std::uint32_t next_ = 64;
};

TEST_F(Window, ChunksOneBehindAnotherAreOneRangeHoweverLong) {
  add_row(1000, 100'000);
  const auto window = plan(3);
  EXPECT_TRUE(window.direct);
  EXPECT_EQ(window.last, 1000u);
  ASSERT_EQ(window.ranges.size(), 1u);
  EXPECT_EQ(window.ranges[0].bytes, 997u * 100'064);
}

TEST_F(Window, ADirectWindowReadsOverSmallGapsAndEndsAtLargeOnes) {
  add_row(20, 1000);
  next_ += 128U << 10;
  add_row(20, 1000);
  next_ += (128U << 10) + 1;
  add_row(20, 1000);
  const auto window = plan(0);
  EXPECT_TRUE(window.direct);
  EXPECT_EQ(window.last, 40u);
  ASSERT_EQ(window.ranges.size(), 1u);
  EXPECT_EQ(window.steps[20].skip, 128U << 10);
  EXPECT_EQ(window.steps.size(), 40u);
}

TEST_F(Window, BlobsOfChainsAreReadInTheOrderOfTheDisk) {
  for (std::uint32_t i = 0; i < 10; ++i)
    add({{1, 64 + i * 1064, 1000}, {0, 64 + (9 - i) * 164, 100}});
  const auto window = plan(0);
  EXPECT_FALSE(window.direct);
  EXPECT_EQ(window.last, 10u);
  ASSERT_EQ(window.ranges.size(), 2u);
  EXPECT_EQ(window.ranges[0].pack, 0u);
  EXPECT_EQ(window.ranges[0].offset, 64u);
  EXPECT_EQ(window.ranges[0].bytes, 1640u);
  EXPECT_EQ(window.ranges[1].bytes, 10640u);
  EXPECT_EQ(window.steps[0].blob, 19u) << "the delta of the last chunk lies first";
}

TEST_F(Window, IsBoundedInChunksAndInBytes) {
  for (std::uint32_t i = 0; i < 100; ++i) add({{i % 2, 64 + i * 1064, 1000}});
  EXPECT_EQ(plan(0).last, 64u);
  backup_ = {};
  for (std::uint32_t i = 0; i < 100; ++i) add({{i % 2, 64 + i * 1'000'064, 1'000'000}});
  EXPECT_EQ(plan(0).last, 8u);
  backup_ = {};
  for (std::uint32_t i = 0; i < 4; ++i)
    add({{0, 64 + i * 10'000'000, 4 << 20}, {1, 64, 4 << 20}, {2, 64, 4 << 20}});
  EXPECT_EQ(plan(1).last, 2u) << "one chunk at least";
}

TEST_F(Window, ABlobOfSeveralChunksIsReadOnceAndOverlapsAreReadApart) {
  for (std::uint32_t i = 0; i < 20; ++i) add({{0, 64, 1000}, {1, 64 + i * 10, 1000}});
  const auto window = plan(0);
  EXPECT_EQ(window.steps.size(), 21u);
  EXPECT_EQ(window.ranges.size(), 21u);
}

}  // namespace
}  // namespace sluice::storage
