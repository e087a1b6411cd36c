#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>

namespace sluice::engine {

/// How many bytes are held, by several threads, and how many it were at most.
class MemoryGauge {
 public:
  /// What is counted here counts in `whole` too, which outlives this.
  explicit MemoryGauge(MemoryGauge* whole = nullptr) noexcept : whole_(whole) {}
  MemoryGauge(const MemoryGauge&) = delete;
  MemoryGauge& operator=(const MemoryGauge&) = delete;
  ~MemoryGauge() = default;

  void add(std::size_t bytes) noexcept;
  void sub(std::size_t bytes) noexcept;

  [[nodiscard]] std::size_t now() const noexcept { return now_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

 private:
  MemoryGauge* whole_;
  std::atomic<std::size_t> now_ = 0;
  std::atomic<std::size_t> peak_ = 0;
};

/// Counts some bytes as long as it is there.
class MemoryCount {
 public:
  MemoryCount(MemoryGauge& gauge, std::size_t bytes) noexcept : gauge_(gauge), bytes_(bytes) {
    gauge_.add(bytes_);
  }
  MemoryCount(const MemoryCount&) = delete;
  MemoryCount& operator=(const MemoryCount&) = delete;
  ~MemoryCount() { gauge_.sub(bytes_); }

 private:
  MemoryGauge& gauge_;
  std::size_t bytes_;
};

/// A piece of memory, filled from the front, and what a list of them needs.
struct Block {
  Block* next = nullptr;
  std::size_t room = 0;  ///< Bytes from data() on.
  std::size_t used = 0;

  [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] const std::byte* data() const noexcept {
    return reinterpret_cast<const std::byte*>(this + 1);
  }
};

/// Blocks of one size out of one mapping, and larger ones from the heap.
///
/// Memory:  counted in the gauge with all that they take while they are taken; huge pages where the
///          system has them. When the mapping is used up, blocks of
///          the one size come from the heap too: whoever takes them keeps the budget. Once a good
///          deal of the mapping is taken, as much again of it is made ready.
/// Errors:  std::bad_alloc.
/// Threads: any. One of its own has the system make memory, which takes long where a hypervisor has
///          to find it first.
class BlockPool {
 public:
  /// `block_bytes`: whole pages, Block itself included.
  BlockPool(std::size_t memory_bytes, std::size_t block_bytes, MemoryGauge& gauge);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  /// All blocks must have been given back.
  ~BlockPool();

  [[nodiscard]] std::size_t block_bytes() const noexcept { return block_bytes_; }
  [[nodiscard]] std::size_t block_room() const noexcept { return block_bytes_ - sizeof(Block); }

  [[nodiscard]] Block* take();
  [[nodiscard]] Block* take_large(std::size_t room);
  /// A block from take_large() with other room; what it holds may move.
  [[nodiscard]] Block* resize_large(Block* block, std::size_t room);

  /// Takes back a list of blocks, to use them again.
  void give(Block* list) noexcept;
  /// Takes back a list of blocks whose memory nobody here needs any more. Large ones go to the
  /// system; the mapping stays as it is to the end.
  void release(Block* list) noexcept;

 private:
  void fill() noexcept;
  [[nodiscard]] bool needs_filling() const noexcept;
  void populate(std::unique_lock<std::mutex>& lock) noexcept;
  [[nodiscard]] bool is_mapped(const Block* block) const noexcept;

  MemoryGauge& gauge_;
  std::size_t block_bytes_;
  std::size_t mapped_bytes_;
  void* whole_ = nullptr;  // with what aligns it
  std::size_t whole_bytes_ = 0;
  std::byte* mapping_ = nullptr;

  std::mutex mutex_;                 // guards the rest
  std::size_t taken_bytes_ = 0;      // of the mapping, from the front
  std::size_t populated_bytes_ = 0;  // the same, no less: what the system was asked to make
  Block* spare_ = nullptr;
  bool stop_ = false;
  std::condition_variable taken_;
  std::thread filler_;
};

}  // namespace sluice::engine
