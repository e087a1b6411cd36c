#include "engine/chunk_cutter.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice::engine {
namespace {

using Chunk = ChunkCutter::Chunk;
constexpr std::uint64_t target = ChunkCutter::target_bytes;
constexpr std::uint64_t longest = ChunkCutter::max_bytes;

TEST(ChunkCutter, CutsAtTheFirstBorderPastTheTarget) {
  ChunkCutter cutter;
  cutter.on_border(target - 1, 10, 0);
  EXPECT_TRUE(cutter.complete().empty());
  cutter.on_border(target + 5, 11, 3);
  cutter.on_end(target + 20);
  const std::vector<Chunk> expected{{.begin = 0, .end = target + 5, .start = {}},
                                    {.begin = target + 5,
                                     .end = target + 20,
                                     .start = {.record = 11, .db = 3, .inside_record = false}}};
  EXPECT_EQ(cutter.complete(), expected);
}

TEST(ChunkCutter, GivesALongValueChunksOfItsOwn) {
  ChunkCutter cutter;
  const std::uint64_t before = ChunkCutter::min_bytes;
  cutter.on_border(before, 7, 1);
  cutter.on_border(before + 2 * longest + 10, 8, 1);
  cutter.on_end(before + 2 * longest + 10);
  const ChunkStart at_record{.record = 7, .db = 1, .inside_record = false};
  const ChunkStart inside{.record = 7, .db = 1, .inside_record = true};
  const std::vector<Chunk> expected{
      {.begin = 0, .end = before, .start = {}},
      {.begin = before, .end = before + longest, .start = at_record},
      {.begin = before + longest, .end = before + 2 * longest, .start = inside},
      {.begin = before + 2 * longest, .end = before + 2 * longest + 10, .start = inside}};
  EXPECT_EQ(cutter.complete(), expected);
}

TEST(ChunkCutter, DoesNotMakeATinyChunkToSpareALongValueACut) {
  ChunkCutter cutter;
  cutter.on_border(100, 1, 0);
  cutter.on_border(100 + longest, 2, 0);
  ASSERT_EQ(cutter.complete().size(), 1u);
  EXPECT_EQ(cutter.complete()[0].end, longest);
}

TEST(ChunkCutter, AnEmptyStreamHasNoChunk) {
  ChunkCutter cutter;
  cutter.on_end(0);
  EXPECT_TRUE(cutter.complete().empty());
}

// Where the chunks end must not depend on how often progress is told in between.
TEST(ChunkCutter, CutsTheSameHoweverTheStreamIsFed) {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> borders{9};
  for (int i = 0; i < 200; ++i) {
    const bool is_long = random() % 20 == 0;
    borders.push_back(borders.back() + 1 + random() % (is_long ? 3 * longest : 100'000));
  }
  const auto cut = [&borders](std::uint64_t step) {
    ChunkCutter cutter;
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < borders.size(); ++i) {
      for (; at + step < borders[i]; at += step) cutter.on_progress(at + step);
      cutter.on_border(borders[i], i, 0);
    }
    cutter.on_end(borders.back() + 9);
    return cutter.complete();
  };
  const std::vector<Chunk> whole = cut(std::uint64_t{1} << 40);
  std::uint64_t end = 0;
  for (const Chunk& chunk : whole) {
    EXPECT_EQ(chunk.begin, end);
    EXPECT_LE(chunk.end - chunk.begin, longest);
    end = chunk.end;
  }
  EXPECT_EQ(end, borders.back() + 9);
  for (const std::uint64_t step : {std::uint64_t{50'000}, std::uint64_t{999'983}}) {
    EXPECT_EQ(cut(step), whole) << "fed " << step << " bytes at a time";
  }
}

}  // namespace
}  // namespace sluice::engine
