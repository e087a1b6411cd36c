#include "net/target_writer.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "net/socket_error.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {
constexpr std::size_t read_size = 64UL << 10;
}

TargetWriter::TargetWriter(Connection& connection, ReplyHandler& handler,
                           TargetWriterOptions options)
    : connection_(connection),
      handler_(handler),
      options_(options),
      parser_(options.limits),
      buffer_(read_size) {}

asio::awaitable<Result<void>> TargetWriter::write(CommandBatch batch) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::string bytes = batch.take_bytes();
  const std::size_t limit = options_.inflight_bytes_max;
  const std::size_t room = bytes.size() < limit ? limit - bytes.size() : 0;
  unanswered_count_ += batch.command_count();
  if (!failure_ && inflight_bytes_ > room) {
    auto draining = drain(room);
    co_await guarded(std::move(draining));  // the outcome is in failure_
  }
  if (failure_) {
    tell_unanswered(batch, 0);
    co_return std::unexpected(*failure_);
  }
  add(std::move(batch), bytes.size());
  auto writing = write_reading(std::as_bytes(std::span(bytes)));
  co_return co_await guarded(std::move(writing));
}

asio::awaitable<Result<void>> TargetWriter::finish() {
  co_await asio::this_coro::throw_if_cancelled(false);
  if (failure_) co_return std::unexpected(*failure_);
  auto draining = drain(0);
  co_return co_await guarded(std::move(draining));
}

asio::awaitable<Result<void>> TargetWriter::read() {
  co_await asio::this_coro::throw_if_cancelled(false);
  if (failure_) co_return std::unexpected(*failure_);
  if (in_flight_.empty()) co_return Result<void>();
  auto read = co_await read_replies();
  if (read || read.error().code == Errc::cancelled) co_return read;
  co_return std::unexpected(fail(std::move(read.error())));
}

// Runs `op` under the silence limit. A failure is kept, and every command in flight is told.
asio::awaitable<Result<void>> TargetWriter::guarded(asio::awaitable<Result<void>> op) {
  std::string detail = "waiting for " + connection_.address();
  auto result = co_await with_silence_limit(std::move(op), connection_.activity(),
                                            options_.silence_timeout, std::move(detail));
  if (result) co_return result;
  co_return std::unexpected(fail(std::move(result.error())));
}

asio::awaitable<Result<void>> TargetWriter::drain(std::size_t inflight_bytes_max) {
  while (inflight_bytes_ > inflight_bytes_max && !in_flight_.empty()) {
    auto read = co_await read_replies();
    if (!read) co_return read;
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> TargetWriter::write_reading(std::span<const std::byte> bytes) {
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return std::unexpected(cancelled_error());
  const auto executor = co_await asio::this_coro::executor;
  auto writing = without_cancel_exceptions<void>(connection_.write_all(bytes));
  auto reading = without_cancel_exceptions<void>(read_until_failure());
  auto [order, write_threw, written, read_threw, read] =
      co_await asio::experimental::make_parallel_group(
          asio::co_spawn(executor, std::move(writing), asio::deferred),
          asio::co_spawn(executor, std::move(reading), asio::deferred))
          .async_wait(asio::experimental::wait_for_one(), asio::deferred);
  if (write_threw) std::rethrow_exception(write_threw);
  if (read_threw) std::rethrow_exception(read_threw);
  // The reader ends by a failure only; ours when it was cancelled because the write was done.
  if (!read && read.error().code != Errc::cancelled) co_return read;
  if (!written && written.error().code == Errc::closed_by_peer) {
    co_await read_until_failure();  // replies that came before the peer closed still count
  }
  co_return written;
}

asio::awaitable<Result<void>> TargetWriter::read_until_failure() {
  while (true) {
    auto read = co_await read_replies();
    if (!read) co_return read;
  }
}

// One read and the replies in it.
asio::awaitable<Result<void>> TargetWriter::read_replies() {
  const auto size = co_await connection_.read_some(buffer_);
  if (!size) co_return std::unexpected(size.error());
  std::span<const std::byte> input = std::span(buffer_).first(*size);
  while (!input.empty()) {
    const auto taken = parser_.feed(input);
    if (!taken) co_return std::unexpected(taken.error());
    input = input.subspan(*taken);
    if (!parser_.done()) continue;
    const Reply reply = parser_.take();
    auto matched = on_reply(reply);
    if (!matched) co_return matched;
  }
  co_return Result<void>();
}

Result<void> TargetWriter::on_reply(const Reply& reply) {
  if (in_flight_.empty()) {
    std::string detail = "a reply to no command: " + printable(reply.text);
    return std::unexpected(Error{.code = Errc::protocol_error, .detail = std::move(detail)});
  }
  InFlight& oldest = in_flight_.front();
  const CommandBatch::Entry& entry = oldest.batch.entries()[oldest.next];
  --unanswered_count_;
  ++oldest.next;  // before the call: what it throws must not lead to a second telling
  handler_.on_reply(entry.tag, oldest.batch.key(entry), reply);
  if (oldest.next == oldest.batch.command_count()) {
    inflight_bytes_ -= oldest.bytes;
    in_flight_.pop_front();
  }
  return {};
}

void TargetWriter::add(CommandBatch batch, std::size_t bytes) {
  inflight_bytes_ += bytes;
  piece_bytes_ += bytes;
  if (batch.command_count() == 0) return;  // a piece: counted with the batch in which it ends
  in_flight_.push_back(
      InFlight{.batch = std::move(batch), .bytes = std::exchange(piece_bytes_, 0), .next = 0});
}

const Error& TargetWriter::fail(Error error) {
  error.detail +=
      fmt::format("{}{} commands unanswered", error.detail.empty() ? "" : "; ", unanswered_count_);
  failure_ = std::move(error);
  for (const InFlight& lost : in_flight_) tell_unanswered(lost.batch, lost.next);
  in_flight_.clear();
  return *failure_;
}

void TargetWriter::tell_unanswered(const CommandBatch& batch, std::size_t first) {
  for (const CommandBatch::Entry& entry : batch.entries().subspan(first)) {
    handler_.on_unanswered(entry.tag, batch.key(entry));
  }
}

}  // namespace sluice::net
