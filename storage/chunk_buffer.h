#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "storage/format.h"

namespace sluice::storage {

/// Room for the raw bytes of one chunk, of any that the format allows.
/// Memory: format::chunk_raw_bytes_max once used, of which the system gives only what is written
/// to.
class ChunkBuffer {
 public:
  /// All of it; what it holds at first is not defined.
  [[nodiscard]] std::span<std::byte> bytes() {
    if (!memory_)
      memory_ = std::make_unique_for_overwrite<std::byte[]>(format::chunk_raw_bytes_max);
    return {memory_.get(), format::chunk_raw_bytes_max};
  }
  /// Whether `part` lies in it. What is empty lies nowhere.
  [[nodiscard]] bool holds(std::span<const std::byte> part) const noexcept {
    return memory_ && !part.empty() && std::less_equal<>()(memory_.get(), part.data()) &&
           std::less<>()(part.data(), memory_.get() + format::chunk_raw_bytes_max);
  }

 private:
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace sluice::storage
