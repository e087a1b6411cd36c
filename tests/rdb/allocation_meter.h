#pragma once

#include <cstddef>

namespace sluice::rdb::testing {

/// Counts what this thread asks of operator new while the meter lives.
class AllocationMeter {
 public:
  AllocationMeter() noexcept;
  AllocationMeter(const AllocationMeter&) = delete;
  AllocationMeter& operator=(const AllocationMeter&) = delete;
  ~AllocationMeter();

  [[nodiscard]] std::size_t largest_bytes() const noexcept;  ///< Largest single request.
  [[nodiscard]] std::size_t total_bytes() const noexcept;    ///< All requests, freed or not.
  [[nodiscard]] std::size_t count() const noexcept;
  /// Most that was held at one time, as the allocator rounds it, beyond what was held before.
  [[nodiscard]] std::size_t peak_bytes() const noexcept;
};

}  // namespace sluice::rdb::testing
