#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::net {

/// Counts the commands that end in a stretch of what a client sends: RESP arrays of bulk strings,
/// well-formed, cut anywhere. Skips over arguments without looking at them.
class CommandScanner {
 public:
  /// Commands whose last byte is in `bytes`.
  [[nodiscard]] std::size_t scan(std::span<const std::byte> bytes) noexcept;

  /// Bytes at the front of `bytes` up to the end of one command, or all when it does not end there.
  [[nodiscard]] std::size_t take(std::span<const std::byte> bytes) noexcept;
  /// Nothing has come of a command that has not ended.
  [[nodiscard]] bool at_border() const noexcept { return state_ == State::array; }

  /// What makes a command of one that was broken off, with arguments that mean nothing. Gives some
  /// of it at a time, which must be scanned; empty at a border.
  [[nodiscard]] std::span<const std::byte> filler() const noexcept;

 private:
  enum class State : std::uint8_t { array, array_size, bulk, bulk_size, body };

  void end_size() noexcept;
  std::size_t step(std::span<const std::byte> bytes) noexcept;

  State state_ = State::array;
  std::uint64_t number_ = 0;     // being read
  std::uint64_t args_left_ = 0;  // of the command
  std::uint64_t body_left_ = 0;  // of the argument, its line end included
};

}  // namespace sluice::net
