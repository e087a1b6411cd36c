#include "engine/partition_spill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/partition_shelf.h"

namespace sluice::engine {
namespace {

constexpr std::size_t memory_bytes = 4 << 20;
constexpr std::size_t block_bytes = 32 << 10;

/// Partitions whose blocks are filled by hand.
class PartitionSpillTest : public testing::Test {
 protected:
  /// Puts a full block of `letter` to what the partition has.
  void add_block(Partition& partition, char letter) {
    Block* const block = pool_.take();
    std::fill_n(block->data(), block->room, static_cast<std::byte>(letter));
    block->used = block->room;
    block->next = partition.full;
    partition.full = block;
    partition.memory_bytes += block_bytes;
    partition.bytes += block->used;
  }

  /// What lies in scratch, the extent that was written last first.
  std::string read(const Partition& partition) {
    std::string text;
    for (Extent extent = partition.extent; extent.bytes > 0;) {
      std::vector<std::byte> bytes(extent.bytes);
      const auto before = file_.read(extent, bytes);
      if (!before) return before.error().message;
      for (const std::byte byte : std::span(bytes).subspan(sizeof(ExtentFile::Head)))
        text.push_back(static_cast<char>(byte));
      extent = *before;
    }
    return text;
  }

  MemoryGauge gauge_;
  BlockPool pool_{memory_bytes, block_bytes, gauge_};
  ExtentFile file_;
  std::vector<Partition> partitions_ = std::vector<Partition>(3);
};

TEST_F(PartitionSpillTest, WritesEachPartitionsBlocksToItsOwnExtents) {
  PartitionSpill spill(pool_, file_);
  for (const char* round : {"abc", "xyz"}) {
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      add_block(partitions_[i], round[i]);
      spill.push(partitions_[i]);
      EXPECT_EQ(partitions_[i].full, nullptr);
      EXPECT_EQ(partitions_[i].memory_bytes, 0U);
    }
  }
  spill.finish();
  EXPECT_FALSE(spill.error().has_value());
  EXPECT_EQ(spill.pending_bytes(), 0U);
  EXPECT_EQ(gauge_.now(), 0U);
  const std::size_t room = pool_.block_room();
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(partitions_[i].extents, 2U);
    EXPECT_EQ(read(partitions_[i]), std::string(room, "xyz"[i]) + std::string(room, "abc"[i]));
  }
}

// Extents are small, to sample from.
TEST_F(PartitionSpillTest, CutsWhatIsLargeIntoExtents) {
  PartitionSpill spill(pool_, file_);
  const std::size_t blocks = (std::size_t{3} << 20) / block_bytes;
  for (std::size_t i = 0; i < blocks; ++i) add_block(partitions_[0], 'a');
  spill.push(partitions_[0]);
  spill.finish();
  EXPECT_GE(partitions_[0].extents, 3U);
  EXPECT_EQ(read(partitions_[0]), std::string(partitions_[0].bytes, 'a'));
}

TEST_F(PartitionSpillTest, WaitsUntilMemoryIsFreeAgain) {
  PartitionSpill spill(pool_, file_);
  EXPECT_FALSE(spill.wait_for_one());
  spill.push(partitions_[0]);  // has nothing
  EXPECT_FALSE(spill.wait_for_one());
  for (Partition& partition : partitions_) {
    add_block(partition, 'a');
    spill.push(partition);
  }
  while (gauge_.now() > 0) {
    if (!spill.wait_for_one()) break;
  }
  EXPECT_EQ(gauge_.now(), 0U);
  EXPECT_FALSE(spill.wait_for_one());
}

TEST_F(PartitionSpillTest, GivesBackWhatItIsNotLetWrite) {
  PartitionSpill spill(pool_, file_);
  for (int i = 0; i < 30; ++i) {
    add_block(partitions_[0], 'a');
    spill.push(partitions_[0]);
  }
  spill.stop();
  EXPECT_EQ(gauge_.now(), 0U);
}

TEST_F(PartitionSpillTest, KeepsTheFirstErrorAndGivesBackTheRest) {
  const char* const before = std::getenv("TMPDIR");
  const std::optional<std::string> folder =
      before ? std::optional<std::string>(before) : std::nullopt;
  ::setenv("TMPDIR", "/proc", 1);
  PartitionSpill spill(pool_, file_);
  for (Partition& partition : partitions_) {
    add_block(partition, 'a');
    spill.push(partition);
  }
  spill.finish();
  if (folder) {
    ::setenv("TMPDIR", folder->c_str(), 1);
  } else {
    ::unsetenv("TMPDIR");
  }
  ASSERT_TRUE(spill.error().has_value());
  EXPECT_EQ(spill.error()->code, "scratch_failed");
  EXPECT_EQ(gauge_.now(), 0U);
  EXPECT_EQ(partitions_[2].extents, 0U);
}

}  // namespace
}  // namespace sluice::engine
