#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "net/command_scanner.h"
#include "net/connection.h"
#include "net/replication_client.h"
#include "net/snapshot_framing.h"
#include "net/stream_sink.h"

namespace sluice::net {

/// One connection to a source, from the first PING on. Calls in the order in which they stand here,
/// one at a time; receive_snapshot() unless the handshake said that the history continues.
///
/// `connection` and `options` outlive it. Memory: one read buffer of 1 MiB.
/// Errors and cancellation: as receive_snapshot() in replication_client.h.
class ReplicationSession {
 public:
  ReplicationSession(Connection& connection, const ReplicationOptions& options);

  /// The handshake, up to what PSYNC granted.
  [[nodiscard]] boost::asio::awaitable<Result<FullResync>> shake_hands();
  /// Whether no snapshot comes. Precondition: shake_hands() was done.
  [[nodiscard]] bool continues() const noexcept { return continues_; }

  [[nodiscard]] boost::asio::awaitable<Result<SnapshotStats>> receive_snapshot(SnapshotSink& sink);

  /// Where one is in the command stream of a source; lasts over connections.
  struct Position {
    std::string replid;
    std::uint64_t offset = 0;  ///< Of the last byte that came.
    CommandScanner scanner;
  };
  /// Gives the command stream to `sink` until something fails, and acknowledges every second what
  /// the sink says is done.
  [[nodiscard]] boost::asio::awaitable<Result<void>> receive_stream(Position& position,
                                                                    StreamSink& sink);

  /// What it does, for the detail of a timeout.
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

 private:
  using Clock = std::chrono::steady_clock;

  boost::asio::awaitable<Result<void>> receive(SnapshotSink& sink);
  boost::asio::awaitable<Result<void>> read();
  boost::asio::awaitable<Result<void>> read_stream(Position& position, StreamSink& sink);
  boost::asio::awaitable<Result<void>> acknowledge(const StreamSink& sink);
  void note_progress(const SnapshotFraming& framing);

  Connection& connection_;
  const ReplicationOptions& options_;
  std::unique_ptr<std::byte[]> buffer_;
  std::span<const std::byte> inbox_;  // read but not yet taken; lies in buffer_
  std::string where_;
  SnapshotStats stats_;
  Clock::time_point phase_start_;
  bool continues_ = false;
};

}  // namespace sluice::net
