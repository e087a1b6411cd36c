#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "engine/io_thread.h"
#include "engine/latency_control.h"
#include "engine/progress_meter.h"
#include "engine/server_link.h"
#include "net/client.h"
#include "net/connection.h"
#include "sluice/restore.h"

namespace sluice::engine {

/// PINGs servers some times a second, each over a connection of its own, and holds back whoever
/// sends to them while that takes longer than it may.
///
/// A server that does not answer at all does not count; its connection is tried again.
///
/// Threads:  a thread of its own sends the PINGs, so that nothing of ours delays them; the calls
/// are
///           the job's. Lifetime: `meter` outlives this.
class LatencyWatch {
 public:
  LatencyWatch(std::vector<ServerLink> servers, double limit_ms, const ProgressMeter& meter);
  LatencyWatch(const LatencyWatch&) = delete;
  LatencyWatch& operator=(const LatencyWatch&) = delete;
  ~LatencyWatch() { end(); }

  /// Blocks until `bytes` may be sent, or until it is asked to stop.
  void pass(std::uint64_t bytes, const std::stop_token& stop);
  /// As LatencyControl has them, now.
  [[nodiscard]] std::size_t inflight_bytes_max(std::size_t most) const;
  [[nodiscard]] std::size_t batch_bytes_max() const;

  /// Nothing more will be sent: no more PINGs.
  void end();
  void report(RestoreResult& result) const;

 private:
  using Clock = std::chrono::steady_clock;
  /// One of the servers; on the thread.
  struct Peer {
    ServerLink link;
    std::unique_ptr<net::Connection> connection;
    std::unique_ptr<net::Client> client;
  };

  boost::asio::awaitable<net::Result<void>> watch();
  boost::asio::awaitable<std::optional<double>> ping(Peer& peer);
  void on_round(double round_trip_ms, Clock::time_point now);
  [[nodiscard]] std::optional<std::uint64_t> rate() const;
  void tell_once();

  const double limit_ms_;
  const ProgressMeter& meter_;
  bool told_ = false;
  double debt_bytes_ = 0;  // passed, and not paid for by waiting
  double throttled_s_ = 0;

  mutable std::mutex mutex_;
  LatencyControl control_;        // under mutex_
  std::uint64_t sent_bytes_ = 0;  // likewise, since round_at_
  Clock::time_point round_at_;    // likewise

  std::vector<Peer> peers_;
  std::stop_source ending_;
  IoThread io_;
  std::optional<IoThread::Pending<net::Result<void>>> under_way_;
};

}  // namespace sluice::engine
