#include "net/command_scanner.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::net {
namespace {

constexpr std::uint64_t line_end_bytes = 2;

std::span<const std::byte> view(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

std::size_t CommandScanner::scan(std::span<const std::byte> bytes) noexcept {
  std::size_t ended = 0;
  while (!bytes.empty()) {
    bytes = bytes.subspan(take(bytes));
    if (at_border()) ++ended;
  }
  return ended;
}

std::size_t CommandScanner::take(std::span<const std::byte> bytes) noexcept {
  std::size_t at = 0;
  while (at < bytes.size()) {
    at += step(bytes.subspan(at));
    if (at_border()) break;
  }
  return at;
}

/// Takes a letter of a size, or what there is of an argument.
std::size_t CommandScanner::step(std::span<const std::byte> bytes) noexcept {
  if (state_ == State::body) {
    const auto skipped = std::min<std::uint64_t>(body_left_, bytes.size());
    body_left_ -= skipped;
    if (body_left_ == 0) state_ = --args_left_ > 0 ? State::bulk : State::array;
    return static_cast<std::size_t>(skipped);
  }
  const char letter = static_cast<char>(bytes.front());
  switch (state_) {
    case State::array:  // '*'
    case State::bulk:   // '$'
      state_ = state_ == State::array ? State::array_size : State::bulk_size;
      number_ = 0;
      break;
    case State::array_size:
    case State::bulk_size:
      if (letter >= '0' && letter <= '9') {
        number_ = number_ * 10 + static_cast<std::uint64_t>(letter - '0');
      }
      if (letter == '\n') end_size();
      break;
    case State::body: break;
  }
  return 1;
}

void CommandScanner::end_size() noexcept {
  if (state_ == State::array_size) {
    args_left_ = number_;
    state_ = args_left_ > 0 ? State::bulk : State::array;
  } else {
    body_left_ = number_ + line_end_bytes;
    state_ = State::body;
  }
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

}  // namespace sluice::net
