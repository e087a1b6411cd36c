#include "net/replication_follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "net/deadline.h"
#include "net/replication_session.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;
using Position = ReplicationSession::Position;

// What the source keeps of its history is not long: it is tried again soon.
constexpr std::chrono::milliseconds first_wait(20);

bool worth_a_retry(const Error& error) {
  constexpr std::array final_codes{Errc::cancelled,     Errc::sink_aborted, Errc::protocol_error,
                                   Errc::auth_required, Errc::auth_failed,  Errc::no_permission,
                                   Errc::history_lost};
  return std::ranges::none_of(final_codes, [&](Errc code) { return error.code == code; });
}

/// A follower, over all of its connections.
struct Follower {
  ReplicationOptions options;
  SnapshotSink& snapshot;
  StreamSink& stream;
  Position position = {};
  bool begun = false;    // the snapshot is there
  bool is_back = false;  // this connection gave some of the stream
};

/// The snapshot, or what was missed since the connection before.
asio::awaitable<Result<void>> catch_up(Follower& follower, ReplicationSession& session) {
  auto granted = co_await session.shake_hands();
  if (!granted) co_return std::unexpected(std::move(granted.error()));
  Position& position = follower.position;
  position.replid = granted->replid;
  if (!follower.begun) {
    position.offset = granted->offset;
    auto received = co_await session.receive_snapshot(follower.snapshot);
    if (!received) co_return std::unexpected(std::move(received.error()));
    follower.begun = true;
  } else if (!session.continues()) {
    co_return std::unexpected(
        Error{.code = Errc::history_lost,
              .detail = fmt::format("what came after offset {}", position.offset)});
  }
  follower.stream.on_link(nullptr);
  follower.is_back = true;
  co_return Result<void>();
}

asio::awaitable<Result<void>> run(Follower& follower, ReplicationSession& session) {
  auto caught_up = co_await catch_up(follower, session);
  if (!caught_up) co_return caught_up;
  co_return co_await session.receive_stream(follower.position, follower.stream);
}

asio::awaitable<Result<void>> connect_and_run(Follower& follower) {
  const auto executor = co_await asio::this_coro::executor;
  follower.is_back = false;
  const Position& position = follower.position;
  auto& resume = follower.options.handshake.resume;
  if (follower.begun) resume = FullResync{.replid = position.replid, .offset = position.offset};
  auto connection = co_await open_connection(executor, follower.options.connect);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  ReplicationSession session(**connection, follower.options);
  const auto silence = follower.options.silence_timeout;
  auto running = run(follower, session);
  auto ended = co_await with_silence_limit(std::move(running), (*connection)->activity(), silence);
  if (!ended && ended.error().code == Errc::timed_out && ended.error().detail.empty()) {
    ended.error().detail = fmt::format("{}: silent for {} ms", session.where(), silence.count());
  }
  co_return ended;
}

asio::awaitable<void> pause(std::chrono::milliseconds length) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(length);
  co_await timer.async_wait(as_result);
}

}  // namespace

asio::awaitable<Error> follow(ReplicationOptions options, std::chrono::milliseconds reconnect_wait,
                              SnapshotSink& snapshot, StreamSink& stream) {
  co_await asio::this_coro::throw_if_cancelled(false);
  options.handshake.rdb_only = false;
  Follower follower{.options = std::move(options), .snapshot = snapshot, .stream = stream};
  auto deadline = Clock::now();
  auto wait = first_wait;
  while (true) {
    auto ended = co_await connect_and_run(follower);
    Error error = ended.error();
    if (!follower.begun || !worth_a_retry(error)) co_return error;
    if (follower.is_back) {
      stream.on_link(&error);
      deadline = Clock::now() + reconnect_wait;
    }
    if (Clock::now() >= deadline) co_return error;
    wait = follower.is_back ? first_wait : std::min(2 * wait, follower.options.retry_interval);
    co_await pause(wait);
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return cancelled_error();
  }
}

}  // namespace sluice::net
