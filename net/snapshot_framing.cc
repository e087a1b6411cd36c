#include "net/snapshot_framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace sluice::net {
namespace {

std::optional<std::size_t> find(std::span<const std::byte> in, std::span<const std::byte> what) {
  if (in.size() < what.size()) return std::nullopt;
  const void* at = ::memmem(in.data(), in.size(), what.data(), what.size());
  if (at == nullptr) return std::nullopt;
  return static_cast<std::size_t>(static_cast<const std::byte*>(at) - in.data());
}

}  // namespace

SnapshotFraming::SnapshotFraming(FullResync granted, SnapshotSink& sink)
    : granted_(std::move(granted)), sink_(sink), line_(header_bytes_max) {}

Result<std::size_t> SnapshotFraming::feed(std::span<const std::byte> input) {
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

Result<void> SnapshotFraming::finish() const {
  if (failure_) return std::unexpected(*failure_);
  if (done()) return {};
  const std::uint64_t received = payload_bytes_ + held_size_;
  Error error{.code = Errc::cut_short, .detail = "before the snapshot began"};
  if (begun_ && length_bytes_) {
    error.detail = fmt::format("{} of {} bytes received", received, *length_bytes_);
  } else if (begun_) {
    error.detail = fmt::format("{} bytes received, the EOF mark was expected", received);
  }
  return std::unexpected(std::move(error));
}

Result<void> SnapshotFraming::step(std::span<const std::byte>& input) {
  switch (state_) {
    case State::header: return step_header(input);
    case State::counted: return step_counted(input);
    case State::marked: return step_marked(input);
    case State::done:
    case State::failed: break;
  }
  std::unreachable();  // feed() does not step a finished machine
}

Result<void> SnapshotFraming::step_header(std::span<const std::byte>& input) {
  const auto taken = line_.feed(input);
  if (!taken) return std::unexpected(taken.error());
  input = input.subspan(*taken);
  if (!line_.whole()) return {};
  // A bare newline is a keepalive while the server saves to its disk.
  auto result = line_.line().empty() ? Result<void>() : on_header(line_.line());
  line_.clear();
  return result;
}

Result<void> SnapshotFraming::on_header(std::string_view line) {
  constexpr std::string_view eof_prefix = "$EOF:";
  if (line.starts_with('-')) {
    Error error = refusal("snapshot", line.substr(1));
    if (error.code == Errc::refused) error.code = Errc::save_failed;
    return std::unexpected(std::move(error));
  }
  if (line.starts_with(eof_prefix) && line.size() == eof_prefix.size() + mark_size) {
    std::memcpy(mark_.data(), line.data() + eof_prefix.size(), mark_size);
    state_ = State::marked;
  } else {
    std::uint64_t length = 0;
    const char* const end = line.data() + line.size();
    const bool dollar = line.starts_with('$');
    const auto [digits_end, ec] = std::from_chars(line.data() + (dollar ? 1 : 0), end, length);
    if (!dollar || ec != std::errc() || digits_end != end) {
      return std::unexpected(
          Error{.code = Errc::protocol_error,
                .detail = fmt::format("'{}' is not a snapshot header", printable(line))});
    }
    length_bytes_ = length;
    left_bytes_ = length;
    state_ = length == 0 ? State::done : State::counted;
  }
  begun_ = true;
  if (!sink_.on_begin(granted_, length_bytes_)) {
    return std::unexpected(Error{.code = Errc::sink_aborted, .detail = "at the beginning"});
  }
  return {};
}

Result<void> SnapshotFraming::step_counted(std::span<const std::byte>& input) {
  const auto part = input.first(std::min<std::uint64_t>(left_bytes_, input.size()));
  input = input.subspan(part.size());
  left_bytes_ -= part.size();
  if (left_bytes_ == 0) state_ = State::done;
  return hand_on(part);
}

Result<void> SnapshotFraming::step_marked(std::span<const std::byte>& input) {
  if (held_size_ > 0) return step_straddling(input);
  if (const auto at = find(input, mark_)) {
    const auto payload = input.first(*at);
    input = input.subspan(*at + mark_size);
    return end_with_mark(payload);
  }
  const std::size_t kept = mark_prefix_at_end(input);
  const auto payload = input.first(input.size() - kept);
  input = {};
  held_size_ = kept;
  return hand_on(payload);
}

// The input goes on where an earlier one ended in what may be the start of the mark. Looks at the
// held bytes and just enough input to decide on every mark that starts among them.
Result<void> SnapshotFraming::step_straddling(std::span<const std::byte>& input) {
  std::array<std::byte, 2 * mark_size> window_bytes;
  const std::size_t old_size = held_size_;
  const std::size_t taken = std::min(input.size(), mark_size);
  std::memcpy(window_bytes.data(), mark_.data(), old_size);
  std::memcpy(window_bytes.data() + old_size, input.data(), taken);
  const auto window = std::span<const std::byte>(window_bytes).first(old_size + taken);

  if (const auto at = find(window, mark_)) {
    const auto payload = window.first(*at);
    input = input.subspan(*at + mark_size - old_size);
    held_size_ = 0;
    return end_with_mark(payload);
  }
  const std::size_t kept = mark_prefix_at_end(window);
  input = input.subspan(taken);
  held_size_ = kept;
  return hand_on(window.first(window.size() - kept));
}

Result<void> SnapshotFraming::end_with_mark(std::span<const std::byte> payload) {
  state_ = State::done;
  return hand_on(payload);
}

Result<void> SnapshotFraming::hand_on(std::span<const std::byte> payload) {
  if (payload.empty()) return {};
  payload_bytes_ += payload.size();
  if (!sink_.on_bytes(payload)) {
    return std::unexpected(
        Error{.code = Errc::sink_aborted, .detail = fmt::format("at byte {}", payload_bytes_)});
  }
  return {};
}

// The length of the longest proper prefix of the mark that `bytes` ends in.
std::size_t SnapshotFraming::mark_prefix_at_end(std::span<const std::byte> bytes) const noexcept {
  for (std::size_t size = std::min(bytes.size(), mark_size - 1); size > 0; --size) {
    if (std::memcmp(bytes.last(size).data(), mark_.data(), size) == 0) return size;
  }
  return 0;
}

}  // namespace sluice::net
