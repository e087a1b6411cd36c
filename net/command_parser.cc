#include "net/command_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

namespace sluice::net {
namespace {

constexpr std::size_t crlf_bytes = 2;

std::unexpected<Error> protocol_error(std::string_view what, std::string_view line) {
  return std::unexpected(
      Error{.code = Errc::protocol_error, .detail = fmt::format("{}: {}", what, printable(line))});
}

std::unexpected<Error> too_large(std::string detail) {
  return std::unexpected(Error{.code = Errc::reply_too_large, .detail = std::move(detail)});
}

std::optional<std::uint64_t> parse_count(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (ec != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

}  // namespace

bool same_word(std::string_view one, std::string_view other) noexcept {
  return std::ranges::equal(one, other, {}, lower, lower);
}

CommandParser::CommandParser(CommandLimits limits)
    : limits_(limits), line_(limits.line_bytes_max) {}

Result<std::size_t> CommandParser::feed(std::span<const std::byte> input) {
  if (failure_) return std::unexpected(*failure_);
  const std::size_t size = input.size();
  while (!input.empty() && !done()) {
    if (auto stepped = step(input); !stepped) {
      state_ = State::failed;
      failure_ = std::move(stepped.error());
      return std::unexpected(*failure_);
    }
  }
  return size - input.size();
}

CommandParser::Command CommandParser::take() {
  assert(done());
  state_ = State::line;
  return std::exchange(command_, {});
}

Result<void> CommandParser::step(std::span<const std::byte>& input) {
  switch (state_) {
    case State::line: return step_line(input);
    case State::argument: return step_argument(input);
    case State::done:
    case State::failed: break;
  }
  std::unreachable();  // feed() does not step a finished parser
}

Result<void> CommandParser::step_line(std::span<const std::byte>& input) {
  const auto taken = line_.feed(input);
  if (!taken) return std::unexpected(taken.error());
  input = input.subspan(*taken);
  if (!line_.whole()) return {};
  auto result = on_line(line_.line());
  line_.clear();
  return result;
}

Result<void> CommandParser::on_line(std::string_view line) {
  if (arguments_left_ > 0) return on_length(line);
  if (line.starts_with('*')) return on_count(line.substr(1));
  return on_inline(line);
}

Result<void> CommandParser::on_count(std::string_view digits) {
  if (digits.starts_with('-')) return {};  // servers pass over an array of minus one
  const auto count = parse_count(digits);
  if (!count) return protocol_error("invalid multibulk length", digits);
  if (*count > limits_.arguments_max) return too_large("a command has too many arguments");
  arguments_left_ = static_cast<std::size_t>(*count);
  return {};
}

Result<void> CommandParser::on_length(std::string_view line) {
  if (!line.starts_with('$')) return protocol_error("expected '$'", line);
  const auto length = parse_count(line.substr(1));
  if (!length) return protocol_error("invalid bulk length", line);
  if (*length > limits_.argument_bytes_max) return too_large("an argument is too long");
  bytes_left_ = static_cast<std::size_t>(*length) + crlf_bytes;
  command_.emplace_back();
  state_ = State::argument;
  return {};
}

Result<void> CommandParser::step_argument(std::span<const std::byte>& input) {
  const std::size_t size = std::min(bytes_left_, input.size());
  const std::size_t text =
      std::min(size, bytes_left_ > crlf_bytes ? bytes_left_ - crlf_bytes : std::size_t{0});
  command_.back().append(reinterpret_cast<const char*>(input.data()), text);
  bytes_left_ -= size;
  input = input.subspan(size);
  if (bytes_left_ > 0) return {};
  state_ = --arguments_left_ == 0 ? State::done : State::line;
  return {};
}

Result<void> CommandParser::on_inline(std::string_view line) {
  while (!line.empty()) {
    const auto begin = std::ranges::find_if_not(line, is_blank);
    const auto end = std::find_if(begin, line.end(), is_blank);
    if (begin != end) command_.emplace_back(begin, end);
    line = std::string_view(end, line.end());
    if (command_.size() > limits_.arguments_max) return too_large("a command has too many words");
  }
  if (!command_.empty()) state_ = State::done;
  return {};
}

}  // namespace sluice::net
