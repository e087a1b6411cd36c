#include "engine/latency_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "net/deadline.h"

namespace sluice::engine {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds ping_interval(50);
constexpr std::chrono::milliseconds retry_interval(1000);
constexpr double wait_s_max = 0.05;  // before it is looked again how fast may be sent

void wait_for(double seconds, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, std::chrono::duration<double>(seconds), [] { return false; });
}

}  // namespace

LatencyWatch::LatencyWatch(std::vector<ServerLink> servers, double limit_ms,
                           const ProgressMeter& meter)
    : limit_ms_(limit_ms), meter_(meter), control_(limit_ms), round_at_(Clock::now()) {
  for (ServerLink& link : servers)
    peers_.push_back({.link = std::move(link), .connection = nullptr, .client = nullptr});
  under_way_.emplace(io_.start(watch(), ending_.get_token()));
}

void LatencyWatch::end() {
  if (!under_way_) return;
  ending_.request_stop();
  static_cast<void>(under_way_->wait());
  under_way_.reset();
}

asio::awaitable<net::Result<void>> LatencyWatch::watch() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (true) {
    std::optional<double> slowest_ms;
    for (Peer& peer : peers_) {
      const auto took_ms = co_await ping(peer);
      if (took_ms) slowest_ms = std::max(slowest_ms.value_or(0), *took_ms);
    }
    if (slowest_ms) on_round(*slowest_ms, Clock::now());
    const auto interval = slowest_ms ? ping_interval : retry_interval;
    const bool waited = co_await net::passed(interval);
    if (!waited) co_return net::Result<void>();
  }
}

/// Any answer is one: also that this user may not PING.
asio::awaitable<std::optional<double>> LatencyWatch::ping(Peer& peer) {
  const auto executor = co_await asio::this_coro::executor;
  if (!peer.client) {
    auto connection = co_await log_in(executor, peer.link);
    if (!connection) co_return std::nullopt;
    peer.connection = std::move(*connection);
    const net::ClientOptions options{.silence_timeout = peer.link.timeout, .limits = {}};
    peer.client = std::make_unique<net::Client>(*peer.connection, options);
  }
  const auto begun = Clock::now();
  const auto reply = co_await peer.client->call("PING");
  if (reply) co_return std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  peer.client.reset();
  peer.connection.reset();
  co_return std::nullopt;
}

void LatencyWatch::on_round(double round_trip_ms, Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  const double seconds = std::chrono::duration<double>(now - round_at_).count();
  control_.on_round(round_trip_ms, std::exchange(sent_bytes_, 0), seconds);
  round_at_ = now;
}

std::optional<std::uint64_t> LatencyWatch::rate() const {
  const std::scoped_lock lock(mutex_);
  return control_.bytes_per_second();
}

void LatencyWatch::pass(std::uint64_t bytes, const std::stop_token& stop) {
  auto rate_now = rate();
  if (rate_now) tell_once();
  while (rate_now && debt_bytes_ > 0 && !stop.stop_requested()) {
    const auto begun = Clock::now();
    const auto rate_bytes = static_cast<double>(*rate_now);
    wait_for(std::min(debt_bytes_ / rate_bytes, wait_s_max), stop);
    const double waited_s = std::chrono::duration<double>(Clock::now() - begun).count();
    throttled_s_ += waited_s;
    debt_bytes_ -= rate_bytes * waited_s;
    rate_now = rate();
  }
  constexpr double credit_max = LatencyControl::batch_min;  // waits end a little late
  const double debt_bytes = std::max(debt_bytes_, -credit_max) + static_cast<double>(bytes);
  debt_bytes_ = rate_now ? debt_bytes : 0;
  const std::scoped_lock lock(mutex_);
  sent_bytes_ += bytes;
}

void LatencyWatch::tell_once() {
  if (std::exchange(told_, true)) return;
  meter_.notice(fmt::format(
      "a PING takes longer than {} ms: less is sent from now on, until it is faster again",
      limit_ms_));
}

std::size_t LatencyWatch::inflight_bytes_max(std::size_t most) const {
  const std::scoped_lock lock(mutex_);
  return control_.inflight_bytes_max(most);
}

std::size_t LatencyWatch::batch_bytes_max() const {
  const std::scoped_lock lock(mutex_);
  return control_.batch_bytes_max();
}

void LatencyWatch::report(RestoreResult& result) const {
  const std::scoped_lock lock(mutex_);
  result.throttled_s = throttled_s_;
  result.latency_ms_max = control_.highest_ms();
}

}  // namespace sluice::engine
