#include "net/replication_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <utility>

#include "net/replication_session.h"
#include "net/socket_error.h"

namespace sluice::net {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

asio::awaitable<Result<SnapshotStats>> run(ReplicationSession& session, SnapshotSink& sink) {
  auto granted = co_await session.shake_hands();
  if (!granted) co_return std::unexpected(std::move(granted.error()));
  co_return co_await session.receive_snapshot(sink);
}

asio::awaitable<Result<SnapshotStats>> receive_once(const ReplicationOptions& options,
                                                    SnapshotSink& sink) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await open_connection(executor, options.connect);
  if (!connection) co_return std::unexpected(std::move(connection.error()));
  ReplicationSession session(**connection, options);
  auto running = run(session, sink);
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
