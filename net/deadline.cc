#include "net/deadline.h"

#include <boost/asio/steady_timer.hpp>

namespace sluice::net {

namespace asio = boost::asio;

asio::awaitable<bool> passed(std::chrono::milliseconds limit) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, limit);
  const bool cancelled = co_await cancel_requested();
  if (cancelled) co_return false;
  const auto [ec] = co_await timer.async_wait(as_result);
  co_return !ec;
}

asio::awaitable<bool> silent(const Activity& activity, std::chrono::milliseconds limit) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  while (true) {
    const bool cancelled = co_await cancel_requested();
    if (cancelled) co_return false;
    const auto now = Activity::Clock::now();
    const auto expiry = (activity.waiting() ? activity.since() : now) + limit;
    if (expiry <= now) co_return true;
    timer.expires_at(expiry);
    const auto [ec] = co_await timer.async_wait(as_result);
    if (ec) co_return false;
  }
}

asio::awaitable<bool> cancel_requested() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

Error cancelled_error() { return {.code = Errc::cancelled, .detail = {}}; }

}  // namespace sluice::net
