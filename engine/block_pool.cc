#include "engine/block_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <new>

namespace sluice::engine {
namespace {

// A huge page, and a multiple of all sizes of blocks.
constexpr std::size_t populate_bytes = 2 << 20;
constexpr std::size_t fill_bytes_min = 8 << 20;  // below it a thread is not worth its start

}  // namespace

void MemoryGauge::add(std::size_t bytes) noexcept {
  const std::size_t now = now_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::size_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
  if (whole_ != nullptr) whole_->add(bytes);
}

void MemoryGauge::sub(std::size_t bytes) noexcept {
  now_.fetch_sub(bytes, std::memory_order_relaxed);
  if (whole_ != nullptr) whole_->sub(bytes);
}

BlockPool::BlockPool(std::size_t memory_bytes, std::size_t block_bytes, MemoryGauge& gauge)
    : gauge_(gauge),
      block_bytes_(block_bytes),
      mapped_bytes_((memory_bytes / block_bytes + 2) * block_bytes) {
  // Only what is touched takes memory.
  whole_bytes_ = mapped_bytes_ + populate_bytes;
  whole_ = ::mmap(nullptr, whole_bytes_, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole_ == MAP_FAILED) throw std::bad_alloc();
  const auto begin = reinterpret_cast<std::uintptr_t>(whole_);
  mapping_ = static_cast<std::byte*>(whole_) + (populate_bytes - begin % populate_bytes);
  // Records go to as many places at once as there are partitions, more than small pages suit.
  ::madvise(mapping_, mapped_bytes_ / populate_bytes * populate_bytes, MADV_HUGEPAGE);
}

BlockPool::~BlockPool() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  taken_.notify_one();
  if (filler_.joinable()) filler_.join();
  ::munmap(whole_, whole_bytes_);
}

bool BlockPool::is_mapped(const Block* block) const noexcept {
  const auto* const at = reinterpret_cast<const std::byte*>(block);
  return !std::less<>{}(at, mapping_) && std::less<>{}(at, mapping_ + mapped_bytes_);
}

Block* BlockPool::take() {
  void* memory = nullptr;
  {
    std::unique_lock lock(mutex_);
    if (spare_ != nullptr) {
      memory = spare_;
      spare_ = spare_->next;
    } else if (taken_bytes_ < mapped_bytes_) {
      memory = mapping_ + taken_bytes_;
      taken_bytes_ += block_bytes_;
      if (taken_bytes_ > populated_bytes_) populate(lock);
      if (!filler_.joinable() && needs_filling()) filler_ = std::thread([this] { fill(); });
      if (needs_filling()) taken_.notify_one();
    }
  }
  if (memory == nullptr) return take_large(block_room());
  gauge_.add(block_bytes_);
  return new (memory) Block{.next = nullptr, .room = block_room(), .used = 0};
}

bool BlockPool::needs_filling() const noexcept {
  return taken_bytes_ >= fill_bytes_min && populated_bytes_ < mapped_bytes_ &&
         populated_bytes_ < 2 * taken_bytes_;
}

/// Keeps ahead of take(), which does not wait: who touches what is not made yet has it made.
void BlockPool::fill() noexcept {
  std::unique_lock lock(mutex_);
  while (!stop_ && populated_bytes_ < mapped_bytes_) {
    if (needs_filling()) {
      populate(lock);
    } else {
      taken_.wait(lock);
    }
  }
}

/// Has the system make some memory at once, which costs half of what it does page by page.
void BlockPool::populate(std::unique_lock<std::mutex>& lock) noexcept {
  std::byte* const at = mapping_ + populated_bytes_;
  const std::size_t bytes = std::min(populate_bytes, mapped_bytes_ - populated_bytes_);
  populated_bytes_ += bytes;
  lock.unlock();
  ::madvise(at, bytes, MADV_POPULATE_WRITE);  // or it comes when touched
  lock.lock();
}

Block* BlockPool::take_large(std::size_t room) {
  void* const memory = std::malloc(sizeof(Block) + room);
  if (memory == nullptr) throw std::bad_alloc();
  gauge_.add(sizeof(Block) + room);
  return new (memory) Block{.next = nullptr, .room = room, .used = 0};
}

Block* BlockPool::resize_large(Block* block, std::size_t room) {
  const std::size_t before = block->room;
  void* const memory = std::realloc(block, sizeof(Block) + room);
  if (memory == nullptr) throw std::bad_alloc();
  block = static_cast<Block*>(memory);
  block->room = room;
  gauge_.add(room);
  gauge_.sub(before);
  return block;
}

void BlockPool::give(Block* list) noexcept {
  const std::lock_guard lock(mutex_);
  while (list != nullptr) {
    Block* const block = list;
    list = block->next;
    gauge_.sub(sizeof(Block) + block->room);
    if (is_mapped(block)) {
      block->next = spare_;
      spare_ = block;
    } else {
      std::free(block);
    }
  }
}

void BlockPool::release(Block* list) noexcept {
  while (list != nullptr) {
    Block* const block = list;
    list = block->next;
    gauge_.sub(sizeof(Block) + block->room);
    if (!is_mapped(block)) std::free(block);  // pieces of huge pages are not worth their splitting
  }
}

}  // namespace sluice::engine
