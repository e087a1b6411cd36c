#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "engine/block_queue.h"
#include "engine/io_thread.h"
#include "engine/server_link.h"
#include "net/replication_follow.h"
#include "net/snapshot_sink.h"
#include "net/stream_sink.h"
#include "sluice/result.h"

namespace sluice::engine {

/// A source that is being followed: its snapshot, then its command stream, both to be taken by the
/// job's thread at its own pace. What waits beyond 16 MiB is in scratch.
///
/// Threads:  the job's, but for the sinks. Lifetime: `io` and `link` outlive this.
class FollowSource final : net::SnapshotSink, net::StreamSink {
 public:
  FollowSource(IoThread& io, const ServerLink& link, std::chrono::milliseconds reconnect_wait);
  FollowSource(const FollowSource&) = delete;
  FollowSource& operator=(const FollowSource&) = delete;
  ~FollowSource() override;

  /// Takes the next bytes; false ends the reading.
  using Consume = std::function<Result<void>(std::span<const std::byte>)>;

  /// Hands on the snapshot to its end. `idle` is called while nothing comes. Errors: those of the
  /// source, of `consume`, "cancelled" when `stop` is.
  [[nodiscard]] Result<void> read_snapshot(const Consume& consume,
                                           const std::function<void()>& idle,
                                           const std::stop_token& stop);
  /// What the snapshot is of. Precondition: read_snapshot() succeeded.
  [[nodiscard]] const net::FullResync& granted() const noexcept { return granted_; }

  enum class Came : std::uint8_t { bytes, nothing_yet, end };
  /// Hands on what came of the command stream; waits up to 100 ms for it. `end`: error() says why.
  [[nodiscard]] Result<Came> read_stream(const Consume& consume);

  /// Nothing more is to be received; what was is still there to be read.
  void stop_receiving();
  /// What the source is told that it is done.
  void set_processed(std::uint64_t offset) noexcept { processed_ = offset; }
  /// Why the connection is gone at the moment; empty while it is there.
  [[nodiscard]] std::string lost() const;
  [[nodiscard]] std::uint64_t reconnects() const noexcept { return reconnects_; }
  /// Why the stream has ended, but for stop_receiving().
  [[nodiscard]] std::optional<Error> error() const;

 private:
  bool on_begin(const net::FullResync& granted, std::optional<std::uint64_t> length_bytes) override;
  bool on_bytes(std::span<const std::byte> bytes) override { return snapshot_.push(bytes); }
  bool on_stream(std::span<const std::byte> bytes) override { return stream_.push(bytes); }
  void on_link(const net::Error* lost) override;
  [[nodiscard]] std::uint64_t processed_offset() const override { return processed_; }

  boost::asio::awaitable<net::Error> receive(net::ReplicationOptions options,
                                             std::chrono::milliseconds reconnect_wait);

  const ServerLink& link_;
  BlockQueue snapshot_;
  BlockQueue stream_;
  net::FullResync granted_;
  std::atomic<std::uint64_t> processed_ = 0;
  std::atomic<std::uint64_t> reconnects_ = 0;
  std::atomic<bool> in_stream_ = false;
  mutable std::mutex mutex_;
  std::string lost_;                 // under mutex_
  std::optional<net::Error> ended_;  // likewise
  std::stop_source receiving_;
  std::optional<IoThread::Pending<net::Error>> under_way_;
};

}  // namespace sluice::engine
