#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <string>
#include <utility>

#include "net/error.h"

namespace sluice::net {

/// The completion token of every I/O call here: an awaitable of (error_code, results...).
constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);

/// When a connection last moved a byte while someone waited for it. Time in which nobody waits on
/// the socket, say because a sink holds the thread, is nobody's silence.
/// Threads: those of the connection's executor only.
class Activity {
 public:
  using Clock = std::chrono::steady_clock;

  void on_wait_begin() noexcept {
    if (waiting_count_++ == 0) since_ = Clock::now();
  }
  void on_wait_end() noexcept {
    --waiting_count_;
    since_ = Clock::now();
  }
  [[nodiscard]] bool waiting() const noexcept { return waiting_count_ > 0; }
  /// Precondition: waiting().
  [[nodiscard]] Clock::time_point since() const noexcept { return since_; }

 private:
  std::size_t waiting_count_ = 0;  // reads and writes in progress
  Clock::time_point since_;
};

/// Completes with true when `limit` has passed, with false when it was cancelled before.
[[nodiscard]] boost::asio::awaitable<bool> passed(std::chrono::milliseconds limit);

/// Completes with true when someone has waited on `activity` for `limit` in silence, with false
/// when it was cancelled. `activity` outlives the awaitable.
[[nodiscard]] boost::asio::awaitable<bool> silent(const Activity& activity,
                                                  std::chrono::milliseconds limit);

/// Whether the coroutine that awaits this was cancelled. A cancel that comes between two operations
/// reaches neither: whoever starts one that can wait for long asks first.
[[nodiscard]] boost::asio::awaitable<bool> cancel_requested();

[[nodiscard]] Error cancelled_error();

/// Awaits `op` where a cancel is not thrown by the next co_await but seen by whoever asks.
template <class T>
boost::asio::awaitable<Result<T>> without_cancel_exceptions(boost::asio::awaitable<Result<T>> op) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return std::unexpected(cancelled_error());
  co_return co_await std::move(op);
}

/// Awaits `op` and `watch` together; the first to complete cancels the other, and both have ended
/// when this returns. A result of `op` counts whoever was first; Errc::timed_out with `detail` when
/// `watch` said true. What `op` throws (std::bad_alloc) passes through.
template <class T>
boost::asio::awaitable<Result<T>> guarded_by(boost::asio::awaitable<bool> watch,
                                             boost::asio::awaitable<Result<T>> op,
                                             std::string detail) {
  namespace asio = boost::asio;
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return std::unexpected(cancelled_error());
  const auto executor = co_await asio::this_coro::executor;
  auto shielded = without_cancel_exceptions<T>(std::move(op));
  auto [order, op_threw, result, watch_threw, expired] =
      co_await asio::experimental::make_parallel_group(
          asio::co_spawn(executor, std::move(shielded), asio::deferred),
          asio::co_spawn(executor, std::move(watch), asio::deferred))
          .async_wait(asio::experimental::wait_for_one(), asio::deferred);
  if (op_threw) std::rethrow_exception(op_threw);
  if (watch_threw) std::rethrow_exception(watch_threw);
  if (order[0] == 1 && expired && !result) {
    co_return std::unexpected(Error{.code = Errc::timed_out, .detail = std::move(detail)});
  }
  co_return std::move(result);
}

/// `op`, but at most for `limit`; then Errc::timed_out with `detail`. `op` is cancelled and has
/// ended by then. Cancellation: terminal, gives what `op` gives (Errc::cancelled).
template <class T>
boost::asio::awaitable<Result<T>> with_deadline(boost::asio::awaitable<Result<T>> op,
                                                std::chrono::milliseconds limit,
                                                std::string detail = {}) {
  return guarded_by<T>(passed(limit), std::move(op), std::move(detail));
}

/// `op`, until the connection with this `activity` is silent for `limit` while `op` waits on it.
template <class T>
boost::asio::awaitable<Result<T>> with_silence_limit(boost::asio::awaitable<Result<T>> op,
                                                     const Activity& activity,
                                                     std::chrono::milliseconds limit,
                                                     std::string detail = {}) {
  return guarded_by<T>(silent(activity, limit), std::move(op), std::move(detail));
}

}  // namespace sluice::net
