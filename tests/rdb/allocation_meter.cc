#include "allocation_meter.h"

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
};
thread_local Counters counters;

}  // namespace

AllocationMeter::AllocationMeter() noexcept { counters = {.on = true}; }
AllocationMeter::~AllocationMeter() { counters.on = false; }
std::size_t AllocationMeter::largest_bytes() const noexcept { return counters.largest_bytes; }
std::size_t AllocationMeter::total_bytes() const noexcept { return counters.total_bytes; }
std::size_t AllocationMeter::count() const noexcept { return counters.count; }

static void* counted_allocation(std::size_t size) {
  if (counters.on) {
    counters.largest_bytes = std::max(counters.largest_bytes, size);
    counters.total_bytes += size;
    ++counters.count;
  }
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace sluice::rdb::testing

void* operator new(std::size_t size) { return sluice::rdb::testing::counted_allocation(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
