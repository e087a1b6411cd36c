#include "engine/command_scanner.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::engine {
namespace {

constexpr std::uint64_t line_end_bytes = 2;

std::span<const std::byte> view(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

std::size_t CommandScanner::scan(std::span<const std::byte> bytes) noexcept {
  std::size_t ended = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    if (state_ == State::body) {
      const auto skipped = std::min<std::uint64_t>(body_left_, bytes.size() - at);
      at += static_cast<std::size_t>(skipped);
      body_left_ -= skipped;
      if (body_left_ > 0) break;
      state_ = --args_left_ > 0 ? State::bulk : State::array;
      if (state_ == State::array) ++ended;
      continue;
    }
    const char letter = static_cast<char>(bytes[at++]);
    switch (state_) {
      case State::array:  // '*'
        state_ = State::array_size;
        number_ = 0;
        break;
      case State::bulk:  // '$'
        state_ = State::bulk_size;
        number_ = 0;
        break;
      case State::array_size:
      case State::bulk_size:
        if (letter >= '0' && letter <= '9') number_ = number_ * 10 + (letter - '0');
        if (letter != '\n') break;
        if (state_ == State::array_size) {
          args_left_ = number_;
          state_ = args_left_ > 0 ? State::bulk : State::array;
        } else {
          body_left_ = number_ + line_end_bytes;
          state_ = State::body;
        }
        break;
      case State::body: break;
    }
  }
  return ended;
}

// Whoever writes commands is stopped between arguments or in one, never in a size.
std::span<const std::byte> CommandScanner::filler() const noexcept {
  static constexpr std::array<std::byte, 4096> nothing{};
  switch (state_) {
    case State::array: return {};
    case State::array_size:
    case State::bulk_size: return view("\n");
    case State::bulk: return view("$0\r\n\r\n");
    case State::body:
      if (body_left_ <= line_end_bytes) return view("\r\n").last(body_left_);
      return std::span(nothing).first(std::min<std::uint64_t>(nothing.size(), body_left_ - 2));
  }
  return {};
}

}  // namespace sluice::engine
