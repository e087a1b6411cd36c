#include "net/resp.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <iterator>
#include <utility>

namespace sluice::net {
namespace {

std::unexpected<Error> protocol_error(std::string detail) {
  return std::unexpected(Error{.code = Errc::protocol_error, .detail = std::move(detail)});
}

std::unexpected<Error> too_large(std::string detail) {
  return std::unexpected(Error{.code = Errc::reply_too_large, .detail = std::move(detail)});
}

std::optional<std::int64_t> parse_integer(std::string_view digits) {
  std::int64_t value = 0;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (ec != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

ReplyParser::ReplyParser(ReplyLimits limits) : limits_(limits), line_(limits.line_bytes_max) {}

Result<std::size_t> ReplyParser::feed(std::span<const std::byte> input) {
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

Result<void> ReplyParser::finish() const {
  if (failure_) return std::unexpected(*failure_);
  const bool between = state_ == State::done || (state_ == State::line && line_.empty());
  if (between && open_.empty()) return {};
  return std::unexpected(Error{.code = Errc::closed_by_peer, .detail = "inside a reply"});
}

Reply ReplyParser::take() {
  assert(done());
  state_ = State::line;
  charged_bytes_ = 0;
  return std::exchange(current_, Reply());
}

Result<void> ReplyParser::step(std::span<const std::byte>& input) {
  switch (state_) {
    case State::line: return step_line(input);
    case State::bulk: return step_bulk(input);
    case State::done:
    case State::failed: break;
  }
  std::unreachable();  // feed() does not step a finished parser
}

Result<void> ReplyParser::step_line(std::span<const std::byte>& input) {
  const auto taken = line_.feed(input);
  if (!taken) return std::unexpected(taken.error());
  input = input.subspan(*taken);
  if (!line_.whole()) return {};
  auto result = on_line(line_.line());
  line_.clear();
  return result;
}

Result<void> ReplyParser::on_line(std::string_view line) {
  if (line.empty()) return protocol_error("an empty line where a reply was expected");
  const std::string_view rest = line.substr(1);
  switch (line.front()) {
    case '+':
    case '-': {
      if (auto ok = charge(rest.size()); !ok) return ok;
      const auto type = line.front() == '+' ? Reply::Type::simple : Reply::Type::error;
      return add(Reply{.type = type, .text = std::string(rest), .integer = 0, .elements = {}});
    }
    case ':':
    case '$':
    case '*': break;
    default: return protocol_error(fmt::format("'{}' is not a reply", printable(line)));
  }
  const auto number = parse_integer(rest);
  if (!number) return protocol_error(fmt::format("'{}' has no number", printable(line)));
  if (line.front() == '$') return on_bulk_length(*number);
  if (line.front() == '*') return on_array_length(*number);
  return add(Reply{.type = Reply::Type::integer, .text = {}, .integer = *number, .elements = {}});
}

Result<void> ReplyParser::on_bulk_length(std::int64_t length) {
  if (length == -1) return add(Reply());
  if (length < 0) return protocol_error(fmt::format("a bulk of {} bytes", length));
  if (std::cmp_greater(length, limits_.bulk_bytes_max)) {
    return too_large(
        fmt::format("a bulk of {} bytes, the limit is {}", length, limits_.bulk_bytes_max));
  }
  const auto size = static_cast<std::size_t>(length);
  if (auto ok = charge(size); !ok) return ok;
  current_ = Reply{.type = Reply::Type::bulk, .text = {}, .integer = 0, .elements = {}};
  bulk_left_ = size + 2;
  state_ = State::bulk;
  return {};
}

Result<void> ReplyParser::on_array_length(std::int64_t length) {
  if (length == -1) return add(Reply());
  if (length < 0) return protocol_error(fmt::format("an array of {} elements", length));
  Reply array{.type = Reply::Type::array, .text = {}, .integer = 0, .elements = {}};
  if (length == 0) return add(std::move(array));
  if (open_.size() >= limits_.depth_max) {
    return too_large(fmt::format("arrays nested deeper than {}", limits_.depth_max));
  }
  open_.push_back(OpenArray{.reply = std::move(array), .left = length});
  return {};
}

Result<void> ReplyParser::step_bulk(std::span<const std::byte>& input) {
  if (bulk_left_ > 2) {
    const auto part = input.first(std::min(input.size(), bulk_left_ - 2));
    current_.text.append(reinterpret_cast<const char*>(part.data()), part.size());
    bulk_left_ -= part.size();
    input = input.subspan(part.size());
    return {};
  }
  const char expected = bulk_left_ == 2 ? '\r' : '\n';
  if (static_cast<char>(input.front()) != expected) {
    return protocol_error("a bulk is not followed by CRLF");
  }
  input = input.subspan(1);
  if (--bulk_left_ > 0) return {};
  state_ = State::line;
  return add(std::exchange(current_, Reply()));
}

Result<void> ReplyParser::charge(std::size_t bytes) {
  if (bytes > limits_.reply_bytes_max - charged_bytes_) {
    return too_large(fmt::format("a reply of more than {} bytes", limits_.reply_bytes_max));
  }
  charged_bytes_ += bytes;
  return {};
}

Result<void> ReplyParser::add(Reply reply) {
  while (!open_.empty()) {
    if (auto ok = charge(sizeof(Reply)); !ok) return ok;
    OpenArray& parent = open_.back();
    parent.reply.elements.push_back(std::move(reply));
    if (--parent.left > 0) return {};
    reply = std::move(parent.reply);
    open_.pop_back();
  }
  current_ = std::move(reply);
  state_ = State::done;
  return {};
}

void append_command(std::string& out, std::span<const std::string_view> args) {
  fmt::format_to(std::back_inserter(out), "*{}\r\n", args.size());
  for (const std::string_view arg : args) {
    fmt::format_to(std::back_inserter(out), "${}\r\n", arg.size());
    out += arg;
    out += "\r\n";
  }
}

std::string encode_command(std::initializer_list<std::string_view> args) {
  std::string out;
  append_command(out, std::span(args.begin(), args.size()));
  return out;
}

}  // namespace sluice::net
