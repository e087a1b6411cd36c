#include "net/replication_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "net/snapshot_framing.h"
#include "net/socket_error.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_size = 1UL << 20;

std::chrono::milliseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
}

// One connection to the source, from the first PING to the end of the snapshot.
class Session {
 public:
  Session(Connection& connection, const ReplicationOptions& options, SnapshotSink& sink)
      : connection_(connection),
        options_(options),
        sink_(sink),
        buffer_(std::make_unique_for_overwrite<std::byte[]>(read_size)),
        where_("in the handshake") {}

  asio::awaitable<Result<SnapshotStats>> run() {
    auto granted = co_await shake_hands();
    if (!granted) co_return std::unexpected(std::move(granted.error()));
    stats_.granted = *std::move(granted);
    auto received = co_await receive();
    if (!received) co_return std::unexpected(std::move(received.error()));
    co_return stats_;
  }

  [[nodiscard]] const std::string& where() const noexcept { return where_; }

 private:
  asio::awaitable<Result<FullResync>> shake_hands();
  asio::awaitable<Result<void>> receive();
  asio::awaitable<Result<void>> read();
  void note_progress(const SnapshotFraming& framing);

  Connection& connection_;
  const ReplicationOptions& options_;
  SnapshotSink& sink_;
  std::unique_ptr<std::byte[]> buffer_;
  std::span<const std::byte> inbox_;  // read but not yet taken; lies in buffer_
  std::string where_;                 // for the detail of a timeout
  SnapshotStats stats_;
  Clock::time_point phase_start_;
};

asio::awaitable<Result<void>> Session::read() {
  const std::span<std::byte> whole(buffer_.get(), read_size);
  const auto size = co_await connection_.read_some(whole);
  if (!size) co_return std::unexpected(size.error());
  inbox_ = whole.first(*size);
  co_return Result<void>();
}

asio::awaitable<Result<FullResync>> Session::shake_hands() {
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
  co_return handshake.granted();
}

asio::awaitable<Result<void>> Session::receive() {
  SnapshotFraming framing(stats_.granted, sink_);
  phase_start_ = Clock::now();
  where_ = "waiting for the save";
  while (true) {
    const auto taken = framing.feed(inbox_);
    if (!taken) co_return std::unexpected(taken.error());
    note_progress(framing);
    if (framing.done()) break;  // what follows is of no interest: stray newlines or the stream
    auto got = co_await read();
    if (!got && got.error().code == Errc::closed_by_peer) co_return framing.finish();
    if (!got) co_return std::unexpected(std::move(got.error()));
  }
  stats_.transfer = since(phase_start_);
  co_return Result<void>();
}

void Session::note_progress(const SnapshotFraming& framing) {
  if (framing.in_payload() && where_ != "mid transfer") {
    where_ = "mid transfer";
    stats_.save_wait = since(phase_start_);
    phase_start_ = Clock::now();
  }
  stats_.bytes = framing.payload_bytes();
  stats_.length_bytes = framing.length_bytes();
}

asio::awaitable<Result<SnapshotStats>> receive_once(const ReplicationOptions& options,
                                                    SnapshotSink& sink) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, options.connect);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  Session session(**connection, options, sink);
  auto running = session.run();
  auto result = co_await with_silence_limit(std::move(running), (*connection)->activity(),
                                            options.silence_timeout);
  if (!result && result.error().code == Errc::timed_out && result.error().detail.empty()) {
    result.error().detail =
        fmt::format("{}: silent for {} ms", session.where(), options.silence_timeout.count());
  }
  co_return result;
}

bool worth_a_retry(const Error& error) {
  return error.code == Errc::loading || error.code == Errc::no_master_link;
}

}  // namespace

asio::awaitable<Result<SnapshotStats>> receive_snapshot(ReplicationOptions options,
                                                        SnapshotSink& sink) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await asio::this_coro::executor;
  const auto deadline = Clock::now() + options.loading_wait;
  asio::steady_timer timer(executor);
  for (std::uint32_t attempts = 1;; ++attempts) {
    auto result = co_await receive_once(options, sink);
    if (result) result->attempts = attempts;
    if (result || !worth_a_retry(result.error()) || Clock::now() >= deadline) co_return result;
    const auto pause = std::min<Clock::duration>(options.retry_interval, deadline - Clock::now());
    timer.expires_after(pause);
    co_await timer.async_wait(as_result);
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return std::unexpected(cancelled_error());
  }
}

}  // namespace sluice::net
