#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::net {

/// Finds where commands end in what a client sends: RESP arrays of bulk strings, well-formed, cut
/// anywhere.
class CommandBorders {
 public:
  /// Takes bytes from the front, at most to the end of one command; returns how many.
  [[nodiscard]] std::size_t feed(std::string_view bytes) noexcept;
  /// Whether what was taken ends with a command.
  [[nodiscard]] bool at_border() const noexcept { return state_ == State::array; }

 private:
  enum class State : std::uint8_t { array, array_size, bulk, bulk_size, body };

  void take_letter(char letter) noexcept;

  State state_ = State::array;
  std::uint64_t number_ = 0;     // being read
  std::uint64_t args_left_ = 0;  // of the command
  std::uint64_t body_left_ = 0;  // of the argument, its line end included
};

}  // namespace sluice::net
