#include "allocation_meter.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace sluice::rdb::testing {
namespace {

struct Counters {
  bool on = false;
  std::size_t largest_bytes = 0;
  std::size_t total_bytes = 0;
  std::size_t count = 0;
  std::ptrdiff_t held_bytes = 0;
  std::ptrdiff_t peak_bytes = 0;
};
thread_local Counters counters;

}  // namespace

AllocationMeter::AllocationMeter() noexcept { counters = {.on = true}; }
AllocationMeter::~AllocationMeter() { counters.on = false; }
std::size_t AllocationMeter::largest_bytes() const noexcept { return counters.largest_bytes; }
std::size_t AllocationMeter::total_bytes() const noexcept { return counters.total_bytes; }
std::size_t AllocationMeter::count() const noexcept { return counters.count; }
std::size_t AllocationMeter::peak_bytes() const noexcept {
  return static_cast<std::size_t>(counters.peak_bytes);
}

static void* counted(std::size_t size, void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  if (counters.on) {
    counters.largest_bytes = std::max(counters.largest_bytes, size);
    counters.total_bytes += size;
    ++counters.count;
    counters.held_bytes += static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
    counters.peak_bytes = std::max(counters.peak_bytes, counters.held_bytes);
  }
  return memory;
}

static void release(void* memory) noexcept {
  if (counters.on && memory != nullptr) {
    counters.held_bytes -= static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
  }
  std::free(memory);
}

}  // namespace sluice::rdb::testing

using sluice::rdb::testing::counted;
using sluice::rdb::testing::release;

void* operator new(std::size_t size) { return counted(size, std::malloc(size)); }
// Of these too, as they are freed by the same delete: std::stable_sort asks for its buffer so.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* const memory = std::malloc(size);
  return memory == nullptr ? nullptr : counted(size, memory);
}
void* operator new(std::size_t size, std::align_val_t align) {
  const auto bytes = static_cast<std::size_t>(align);
  return counted(size, std::aligned_alloc(bytes, (size + bytes - 1) / bytes * bytes));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
