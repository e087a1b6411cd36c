#include "net/command_borders.h"

#include <algorithm>

namespace sluice::net {

std::size_t CommandBorders::feed(std::string_view bytes) noexcept {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (state_ == State::body) {
      const std::uint64_t skipped = std::min<std::uint64_t>(body_left_, bytes.size() - at);
      at += static_cast<std::size_t>(skipped);
      body_left_ -= skipped;
      if (body_left_ == 0) state_ = --args_left_ > 0 ? State::bulk : State::array;
    } else {
      take_letter(bytes[at++]);
    }
    if (state_ == State::array) break;
  }
  return at;
}

void CommandBorders::take_letter(char letter) noexcept {
  constexpr std::uint64_t line_end_bytes = 2;
  switch (state_) {
    case State::array:  // '*'
    case State::bulk:   // '$'
      state_ = state_ == State::array ? State::array_size : State::bulk_size;
      number_ = 0;
      return;
    case State::array_size:
    case State::bulk_size:
      if (letter >= '0' && letter <= '9')
        number_ = number_ * 10 + static_cast<std::uint64_t>(letter - '0');
      if (letter != '\n') return;
      if (state_ == State::array_size) {
        args_left_ = number_;
        state_ = args_left_ > 0 ? State::bulk : State::array;
      } else {
        body_left_ = number_ + line_end_bytes;
        state_ = State::body;
      }
      return;
    case State::body: return;
  }
}

}  // namespace sluice::net
