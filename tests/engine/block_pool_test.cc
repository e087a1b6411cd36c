#include "engine/block_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>

namespace sluice::engine {
namespace {

constexpr std::size_t mapped_bytes = 64 << 20;
constexpr std::size_t block_bytes = 32 << 10;

/// Takes blocks of so many bytes together; a list.
Block* take(BlockPool& pool, std::size_t bytes) {
  Block* list = nullptr;
  for (std::size_t i = 0; i < bytes / block_bytes; ++i) {
    Block* const block = pool.take();
    block->next = list;
    list = block;
  }
  return list;
}

/// Whether the system has made the page that lies so far behind a block.
bool is_made(const Block* block, std::size_t behind) {
  const auto page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto at = (reinterpret_cast<std::uintptr_t>(block) + behind) / page_bytes * page_bytes;
  unsigned char resident = 0;
  return ::mincore(reinterpret_cast<void*>(at), 1, &resident) == 0 && (resident & 1) != 0;
}

bool system_makes_memory_ahead() {
  const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const page =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  const bool made = ::madvise(page, bytes, MADV_POPULATE_WRITE) == 0;
  ::munmap(page, bytes);
  return made;
}

TEST(BlockPool, MakesAsMuchReadyAsIsTaken) {
  if (!system_makes_memory_ahead()) GTEST_SKIP() << "no MADV_POPULATE_WRITE";
  constexpr std::size_t taken_bytes = 16 << 20;
  MemoryGauge gauge;
  BlockPool pool(mapped_bytes, block_bytes, gauge);
  Block* const list = take(pool, taken_bytes);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const std::size_t behind = taken_bytes - (std::size_t{1} << 20);
  while (!is_made(list, behind) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(is_made(list, behind));
  EXPECT_EQ(gauge.now(), taken_bytes);
  pool.give(list);
  EXPECT_EQ(gauge.now(), 0U);
}

TEST(BlockPool, LeavesTheRestUntouchedForLittle) {
  constexpr std::size_t taken_bytes = 4 << 20;
  MemoryGauge gauge;
  BlockPool pool(mapped_bytes, block_bytes, gauge);
  Block* const list = take(pool, taken_bytes);
  EXPECT_FALSE(is_made(list, std::size_t{8} << 20));
  pool.give(list);
}

TEST(BlockPool, GivesBlocksOfTheHeapWhenTheMappingIsUsedUp) {
  MemoryGauge gauge;
  BlockPool pool(mapped_bytes, block_bytes, gauge);
  Block* const list = take(pool, mapped_bytes + (std::size_t{1} << 20));
  for (Block* block = list; block != nullptr; block = block->next) {
    ASSERT_EQ(block->room, pool.block_room());
    block->data()[block->room - 1] = std::byte{1};
  }
  EXPECT_EQ(gauge.now(), mapped_bytes + (std::size_t{1} << 20));
  pool.give(list);
  EXPECT_EQ(gauge.now(), 0U);
}

}  // namespace
}  // namespace sluice::engine
