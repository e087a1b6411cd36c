#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/cluster_target.h"
#include "engine/io_thread.h"
#include "engine/latency_watch.h"
#include "engine/pace.h"
#include "engine/server_link.h"
#include "engine/target_way.h"
#include "net/cluster_writer.h"
#include "sluice/restore.h"

namespace sluice::engine {

struct ClusterWayOptions {
  OnConflict policy = OnConflict::refuse;
  std::size_t inflight_bytes_max = 0;
  std::uint64_t bytes_per_second = 0;  ///< 0: as fast as it goes.
  LatencyWatch* watch = nullptr;       ///< Holds back what is sent; null: nobody does.
  /// Told on the job's thread what keeps the cluster from taking commands; may be empty.
  std::function<void(std::string_view)> on_trouble;
};

/// A net::ClusterWriter on the I/O thread, and the job's thread that gives it batches.
///
/// Threads:  one at a time; the handler is called on that of `io`, also between calls.
/// Lifetime: `io` and `handler` outlive this.
class ClusterWay final : public TargetWay {
 public:
  ClusterWay(IoThread& io, const ServerLink& link, const net::Topology& topology,
             net::ReplyHandler& handler, ClusterWayOptions options, std::stop_token stop);
  ~ClusterWay() override { wait(); }

  [[nodiscard]] CommandOutlet outlet() override;
  [[nodiscard]] const std::optional<net::Error>& broken() const noexcept override {
    return broken_;
  }
  /// Precondition: nothing is on its way.
  [[nodiscard]] const net::ClusterWriterStats& stats() const noexcept { return writer_.stats(); }

 private:
  using Outcome = net::Result<void>;

  net::ClusterWriterOptions writer_options(const ServerLink& link);
  bool start(boost::asio::awaitable<Outcome> operation);
  void wait();
  void tell();

  IoThread& io_;
  ClusterWayOptions options_;
  std::stop_token stop_;
  Pace pace_;
  ScratchCommand spool_;
  std::mutex mutex_;
  std::string trouble_;  // to be told
  net::ClusterWriter writer_;
  std::optional<IoThread::Pending<Outcome>> under_way_;
  std::optional<net::Error> broken_;
};

}  // namespace sluice::engine
