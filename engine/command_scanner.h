#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::engine {

/// Counts the commands that end in a stretch of what a client sends: RESP arrays of bulk strings,
/// well-formed, cut anywhere. Skips over arguments without looking at them.
class CommandScanner {
 public:
  /// Commands whose last byte is in `bytes`.
  [[nodiscard]] std::size_t scan(std::span<const std::byte> bytes) noexcept;

  /// What makes a command of one that was broken off, with arguments that mean nothing. Gives some
  /// of it at a time, which must be scanned; empty at a border.
  [[nodiscard]] std::span<const std::byte> filler() const noexcept;

 private:
  enum class State : std::uint8_t { array, array_size, bulk, bulk_size, body };

  State state_ = State::array;
  std::uint64_t number_ = 0;     // being read
  std::uint64_t args_left_ = 0;  // of the command
  std::uint64_t body_left_ = 0;  // of the argument, its line end included
};

}  // namespace sluice::engine
