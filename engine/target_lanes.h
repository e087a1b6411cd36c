#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "engine/io_thread.h"
#include "engine/latency_watch.h"
#include "engine/pace.h"
#include "engine/restore_stream.h"
#include "engine/server_link.h"
#include "engine/target_way.h"
#include "net/connection.h"
#include "net/target_writer.h"

namespace sluice::engine {

struct LaneOptions {
  std::size_t inflight_bytes_max = 0;  ///< Of all lanes together.
  std::chrono::milliseconds silence_timeout{};
  std::uint64_t bytes_per_second = 0;  ///< 0: as fast as it goes.
  /// Holds back what is sent; null: nobody does.
  LatencyWatch* watch = nullptr;
};

/// Several connections to one server, among which batches of commands are dealt out in turn. A
/// batch that goes on with the key of the one before follows it on the same connection; a SELECT
/// goes to all of them. While a LatencyWatch holds back, only as many of them are used as there are
/// batches on their way.
///
/// Threads:  one at a time; the handler is called on that of `io`, also between calls.
/// Errors:   the first of any connection, sticky. Every command gets its answer, or its handler
///           hears that there is none, as TargetWriter says.
/// Lifetime: `io` and `handler` outlive this.
class TargetLanes final : public TargetWay {
 public:
  /// `asker`: one more connection, for questions; may be null.
  TargetLanes(IoThread& io, std::vector<std::unique_ptr<net::Connection>> connections,
              std::unique_ptr<net::Connection> asker, net::ReplyHandler& handler,
              const LaneOptions& options, std::stop_token stop);
  ~TargetLanes() override;

  [[nodiscard]] CommandOutlet outlet() override;
  [[nodiscard]] const std::optional<net::Error>& broken() const noexcept override {
    return broken_;
  }
  /// One of the connections. Precondition: nothing is on its way.
  [[nodiscard]] net::Connection& connection() noexcept { return *lanes_.front().connection; }

 private:
  using Outcome = net::Result<void>;
  struct Lane {
    std::unique_ptr<net::Connection> connection;
    std::unique_ptr<net::TargetWriter> writer;
    std::optional<IoThread::Pending<Outcome>> under_way;
  };

  bool send(net::CommandBatch batch, bool goes_on);
  bool settle();
  bool ask(net::CommandBatch questions);
  void hold_back(std::uint64_t bytes);
  [[nodiscard]] std::size_t lanes_in_use() const;
  void start(Lane& lane, boost::asio::awaitable<Outcome> operation);
  void wait(Lane& lane);

  IoThread& io_;
  std::stop_token stop_;
  std::size_t inflight_bytes_max_;
  Pace pace_;
  LatencyWatch* watch_;
  std::deque<Lane> lanes_;
  std::optional<Lane> asker_;
  std::size_t turn_ = 0;
  std::optional<net::Error> broken_;
};

/// More connections to a server that one has been logged in to, up to `count`. A server that takes
/// no more of them is no error.
[[nodiscard]] boost::asio::awaitable<net::Result<std::vector<std::unique_ptr<net::Connection>>>>
log_in_more(boost::asio::any_io_executor executor, ServerLink link, unsigned count);

}  // namespace sluice::engine
