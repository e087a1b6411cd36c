#include "net/replication_session.h"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "net/deadline.h"
#include "net/resp.h"
#include "net/socket_error.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_size = 1UL << 20;
constexpr std::chrono::seconds ack_interval(1);  // a source gives a replica up after repl-timeout

std::chrono::milliseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
}

}  // namespace

ReplicationSession::ReplicationSession(Connection& connection, const ReplicationOptions& options)
    : connection_(connection),
      options_(options),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(read_size)),
      where_("in the handshake") {}

asio::awaitable<Result<SnapshotStats>> ReplicationSession::receive_snapshot(SnapshotSink& sink) {
  auto received = co_await receive(sink);
  if (!received) co_return std::unexpected(std::move(received.error()));
  co_return stats_;
}

asio::awaitable<Result<void>> ReplicationSession::read() {
  const std::span<std::byte> whole(buffer_.get(), read_size);
  const auto size = co_await connection_.read_some(whole);
  if (!size) co_return std::unexpected(size.error());
  inbox_ = whole.first(*size);
  co_return Result<void>();
}

asio::awaitable<Result<FullResync>> ReplicationSession::shake_hands() {
  Handshake handshake(options_.handshake);
  while (!handshake.done()) {
    if (!handshake.to_send().empty()) {
      where_ = fmt::format("in the handshake, waiting for the reply to {}", handshake.command());
      const auto command = std::as_bytes(std::span(handshake.to_send()));
      auto written = co_await connection_.write_all(command);
      if (!written) co_return std::unexpected(std::move(written.error()));
      handshake.on_sent();
    }
    if (inbox_.empty()) {
      auto got = co_await read();
      if (!got) {
        got.error().detail = where_ + ": " + got.error().detail;
        co_return std::unexpected(std::move(got.error()));
      }
    }
    const auto taken = handshake.feed(inbox_);
    if (!taken) co_return std::unexpected(taken.error());
    inbox_ = inbox_.subspan(*taken);
  }
  continues_ = handshake.continues();
  stats_.granted = handshake.granted();
  co_return handshake.granted();
}

asio::awaitable<Result<void>> ReplicationSession::receive(SnapshotSink& sink) {
  SnapshotFraming framing(stats_.granted, sink);
  phase_start_ = Clock::now();
  where_ = "waiting for the save";
  while (true) {
    const auto taken = framing.feed(inbox_);
    if (!taken) co_return std::unexpected(taken.error());
    inbox_ = inbox_.subspan(*taken);
    note_progress(framing);
    if (framing.done()) break;  // what follows are stray newlines, or the stream
    auto got = co_await read();
    if (!got && got.error().code == Errc::closed_by_peer) co_return framing.finish();
    if (!got) co_return std::unexpected(std::move(got.error()));
  }
  stats_.transfer = since(phase_start_);
  co_return Result<void>();
}

void ReplicationSession::note_progress(const SnapshotFraming& framing) {
  if (framing.in_payload() && where_ != "mid transfer") {
    where_ = "mid transfer";
    stats_.save_wait = since(phase_start_);
    phase_start_ = Clock::now();
  }
  stats_.bytes = framing.payload_bytes();
  stats_.length_bytes = framing.length_bytes();
}

asio::awaitable<Result<void>> ReplicationSession::receive_stream(Position& position,
                                                                 StreamSink& sink) {
  where_ = "in the command stream";
  const auto executor = co_await asio::this_coro::executor;
  auto reading = without_cancel_exceptions<void>(read_stream(position, sink));
  auto acknowledging = without_cancel_exceptions<void>(acknowledge(sink));
  auto [order, read_threw, read_end, ack_threw, ack_end] =
      co_await asio::experimental::make_parallel_group(
          asio::co_spawn(executor, std::move(reading), asio::deferred),
          asio::co_spawn(executor, std::move(acknowledging), asio::deferred))
          .async_wait(asio::experimental::wait_for_one(), asio::deferred);
  if (read_threw) std::rethrow_exception(read_threw);
  if (ack_threw) std::rethrow_exception(ack_threw);
  co_return order[0] == 0 ? std::move(read_end) : std::move(ack_end);
}

// Bare newlines between commands keep the connection alive and do not count.
asio::awaitable<Result<void>> ReplicationSession::read_stream(Position& position,
                                                              StreamSink& sink) {
  while (true) {
    while (!inbox_.empty()) {
      const bool at_border = position.scanner.at_border();
      const char first = static_cast<char>(inbox_.front());
      if (at_border && (first == '\n' || first == '\r')) {
        inbox_ = inbox_.subspan(1);
        continue;
      }
      if (at_border && first != '*') {
        co_return std::unexpected(
            Error{.code = Errc::protocol_error, .detail = where_ + ": not a command"});
      }
      const std::size_t taken = position.scanner.take(inbox_);
      if (!sink.on_stream(inbox_.first(taken))) {
        co_return std::unexpected(Error{.code = Errc::sink_aborted, .detail = where_});
      }
      position.offset += taken;
      inbox_ = inbox_.subspan(taken);
    }
    auto got = co_await read();
    if (!got) co_return std::unexpected(std::move(got.error()));
  }
}

asio::awaitable<Result<void>> ReplicationSession::acknowledge(const StreamSink& sink) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (true) {
    const std::string ack =
        encode_command({"REPLCONF", "ACK", std::to_string(sink.processed_offset())});
    auto written = co_await connection_.write_all(std::as_bytes(std::span(ack)));
    if (!written) co_return std::unexpected(std::move(written.error()));
    timer.expires_after(ack_interval);
    co_await timer.async_wait(as_result);
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return std::unexpected(cancelled_error());
  }
}

}  // namespace sluice::net
