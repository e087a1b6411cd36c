#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>

#include "engine/block_queue.h"
#include "engine/io_thread.h"
#include "engine/server_link.h"
#include "net/replication_client.h"

namespace sluice::engine {

/// One snapshot on its way from the I/O thread, which receives it, to the job's thread.
///
/// Threads: the job's, but for what is atomic. Destroyed before the IoThread, it lets the receiver
///          go; wait() must have returned then if start() was called.
class SnapshotReception final : private net::SnapshotSink {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t block_bytes = 1 << 20;

  explicit SnapshotReception(std::size_t blocks_max)
      : queue_(block_bytes, blocks_max, BlockQueue::Overflow::to_scratch) {}

  /// Begins to receive. A snapshot that is older than replication offset `offset_min` is refused:
  /// was_too_old().
  void start(IoThread& io, const ServerLink& link, std::uint64_t offset_min, std::stop_token stop);
  [[nodiscard]] bool started() const noexcept { return transfer_.has_value(); }
  /// The transfer has ended, and what came of it. Precondition: started().
  [[nodiscard]] net::Result<net::SnapshotStats> wait() { return transfer_->wait(); }

  [[nodiscard]] BlockQueue& queue() noexcept { return queue_; }
  /// Whether the snapshot has begun to come: the server has forked by then.
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  /// Precondition: begun().
  [[nodiscard]] Clock::time_point begun_at() const noexcept { return begun_at_; }
  [[nodiscard]] bool was_too_old() const noexcept { return too_old_; }
  /// Zero when the source does not say.
  [[nodiscard]] std::uint64_t length_bytes() const noexcept { return length_bytes_; }

 private:
  bool on_begin(const net::FullResync& granted, std::optional<std::uint64_t> length_bytes) override;
  bool on_bytes(std::span<const std::byte> bytes) override { return queue_.push(bytes); }

  BlockQueue queue_;
  std::uint64_t offset_min_ = 0;
  std::atomic<std::uint64_t> length_bytes_ = 0;
  Clock::time_point begun_at_;  // written before begun_ is set
  std::atomic<bool> begun_ = false;
  std::atomic<bool> too_old_ = false;
  std::optional<IoThread::Pending<net::Result<net::SnapshotStats>>> transfer_;
};

/// Where a server's snapshot is from, once it is granted.
[[nodiscard]] std::string server_name(const net::ServerInfo& info);

}  // namespace sluice::engine
