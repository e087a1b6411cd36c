#include "net/replica_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

#include "net/deadline.h"
#include "net/resp.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t read_size = 16UL << 10;

}  // namespace

ReplicaSession::ReplicaSession(asio::any_io_executor executor,
                               std::unique_ptr<Connection> connection, SessionOptions options)
    : connection_(std::move(connection)),
      options_(options),
      buffer_(read_size),
      news_(std::move(executor)) {
  peer_.address = connection_->ends().remote;
  peer_.port = connection_->ends().remote_port;
}

asio::awaitable<Result<void>> ReplicaSession::write(std::string_view text) {
  co_return co_await with_silence_limit(connection_->write_all(std::as_bytes(std::span(text))),
                                        connection_->activity(), options_.silence_timeout,
                                        "the replica takes no more bytes");
}

asio::awaitable<Result<void>> ReplicaSession::shake_hands(std::optional<std::string> password) {
  ReplicaHandshake handshake(std::move(password));
  while (!handshake.done()) {
    const auto size = co_await connection_->read_some(buffer_);
    if (!size) co_return std::unexpected(size.error());
    inbox_ = std::span(buffer_).first(*size);
    const auto taken = handshake.feed(inbox_);
    const std::string replies = handshake.take_replies();
    auto written = co_await connection_->write_all(std::as_bytes(std::span(replies)));
    if (!taken) co_return std::unexpected(taken.error());
    if (!written) co_return std::unexpected(written.error());
    inbox_ = inbox_.subspan(*taken);
  }
  const ReplicaPeer where = std::exchange(peer_, handshake.peer());
  peer_.address = where.address;
  peer_.port = where.port;
  co_return Result<void>();
}

asio::awaitable<Result<void>> ReplicaSession::refuse(std::string why) {
  const std::string line = "-ERR " + why + "\r\n";
  co_return co_await write(line);
}

asio::awaitable<Result<void>> ReplicaSession::keep_alive() { co_return co_await write("\n"); }

asio::awaitable<Result<void>> ReplicaSession::begin_snapshot(FullResync granted,
                                                             std::uint64_t bytes) {
  sent_offset_ = granted.offset;
  snapshot_bytes_left_ = bytes;
  std::string head = fmt::format("${}\r\n", bytes);
  if (peer_.by_psync) {
    head = fmt::format("+FULLRESYNC {} {}\r\n", granted.replid, granted.offset) + head;
  }
  co_return co_await write(head);
}

asio::awaitable<Result<void>> ReplicaSession::send(std::span<const std::byte> bytes) {
  assert(bytes.size() <= snapshot_bytes_left_);
  auto written = co_await with_silence_limit(connection_->write_all(bytes), connection_->activity(),
                                             options_.silence_timeout,
                                             "the replica takes no more of the snapshot");
  if (!written) co_return written;
  snapshot_bytes_ += bytes.size();
  snapshot_bytes_left_ -= bytes.size();
  co_return Result<void>();
}

asio::awaitable<Result<void>> ReplicaSession::write_stream(std::string_view command) {
  auto written = co_await connection_->write_all(std::as_bytes(std::span(command)));
  if (written) sent_offset_ += command.size();
  co_return written;
}

asio::awaitable<Result<void>> ReplicaSession::follow() {
  assert(snapshot_bytes_left_ == 0);
  const std::string question = encode_command({"REPLCONF", "GETACK", "*"});
  auto result = co_await write_stream(question);
  if (result) {
    auto pinging = ping();
    auto reading = read_acks();
    result = co_await guarded_by<void>(std::move(pinging), std::move(reading),
                                       "the replica acknowledges nothing any more");
  }
  ended_ = result ? Error{.code = Errc::closed_by_peer, .detail = {}} : result.error();
  news_.cancel();
  co_return result;
}

// Ends with true when the replica is to be given up.
asio::awaitable<bool> ReplicaSession::ping() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::string command = encode_command({"PING"});
  asio::steady_timer timer(news_.get_executor());
  while (true) {
    timer.expires_after(options_.ping_interval);
    const auto [ec] = co_await timer.async_wait(as_result);
    if (ec) co_return false;
    if (is_silent()) co_return true;
    const auto written = co_await write_stream(command);
    if (!written) co_return written.error().code != Errc::cancelled;
  }
}

// A replica that loads what it was sent may say nothing for long.
bool ReplicaSession::is_silent() const {
  return has_acked_ && std::chrono::steady_clock::now() - heard_at_ > options_.silence_timeout;
}

asio::awaitable<Result<void>> ReplicaSession::read_acks() {
  while (true) {
    const auto taken = commands_.feed(inbox_);
    if (!taken) co_return std::unexpected(taken.error());
    inbox_ = inbox_.subspan(*taken);
    if (commands_.done()) {
      on_command(commands_.take());
      continue;
    }
    const auto size = co_await connection_->read_some(buffer_);
    if (!size) co_return std::unexpected(size.error());
    inbox_ = std::span(buffer_).first(*size);
    heard_at_ = std::chrono::steady_clock::now();
  }
}

void ReplicaSession::on_command(const CommandParser::Command& command) {
  const bool is_ack =
      command.size() >= 3 && same_word(command[0], "REPLCONF") && same_word(command[1], "ACK");
  if (!is_ack) return;
  std::uint64_t offset = 0;
  const std::string& text = command[2];
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (ec != std::errc() || end != text.data() + text.size()) return;
  has_acked_ = true;
  if (offset > acked_offset_) acked_offset_ = offset;
  news_.cancel();
}

asio::awaitable<Result<bool>> ReplicaSession::acknowledged(std::uint64_t offset,
                                                           std::chrono::milliseconds limit) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!has_acked_ || acked_offset_ < offset) {
    if (ended_) co_return std::unexpected(*ended_);
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return std::unexpected(cancelled_error());
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    news_.expires_at(deadline);
    co_await news_.async_wait(as_result);
  }
  co_return true;
}

asio::awaitable<Result<bool>> ReplicaSession::is_linked(std::chrono::milliseconds limit) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!ended_ && std::chrono::steady_clock::now() < deadline) {
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return false;
    news_.expires_at(deadline);
    co_await news_.async_wait(as_result);
  }
  co_return !ended_;
}

}  // namespace sluice::net
