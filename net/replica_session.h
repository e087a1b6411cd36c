#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/connection.h"
#include "net/error.h"
#include "net/handshake.h"
#include "net/replica_handshake.h"

namespace sluice::net {

struct SessionOptions {
  /// A replica that takes nothing of the snapshot, or acknowledges nothing once it has begun to,
  /// for longer is given up.
  std::chrono::milliseconds silence_timeout{60'000};
  std::chrono::milliseconds ping_interval{5'000};
};

/// One replica, which we are the primary of:
///
///     shake_hands();  begin_snapshot(); send() …;  follow() while acknowledged() is asked
///
/// Errors: those of Connection and ReplicaHandshake; timed_out.
/// Cancellation: terminal; gives Errc::cancelled.
/// Threads: coroutines on the executor of the connection. sent_offset() and the like from any.
class ReplicaSession {
 public:
  ReplicaSession(boost::asio::any_io_executor executor, std::unique_ptr<Connection> connection,
                 SessionOptions options);
  ReplicaSession(const ReplicaSession&) = delete;
  ReplicaSession& operator=(const ReplicaSession&) = delete;

  /// Answers until the replica asks for the snapshot.
  [[nodiscard]] boost::asio::awaitable<Result<void>> shake_hands(
      std::optional<std::string> password);
  [[nodiscard]] const ReplicaPeer& peer() const noexcept { return peer_; }
  /// Tells it no; the connection is of no further use.
  [[nodiscard]] boost::asio::awaitable<Result<void>> refuse(std::string why);

  /// A newline, which keeps a replica from giving up while its snapshot is prepared. Before
  /// begin_snapshot() only, and due every few seconds.
  [[nodiscard]] boost::asio::awaitable<Result<void>> keep_alive();
  /// A snapshot of exactly `bytes` follows, which stands at the offset that is granted.
  [[nodiscard]] boost::asio::awaitable<Result<void>> begin_snapshot(FullResync granted,
                                                                    std::uint64_t bytes);
  /// The next bytes of the snapshot, which outlive the awaitable. Ends once the system has them.
  /// Precondition: there are no more than were announced.
  [[nodiscard]] boost::asio::awaitable<Result<void>> send(std::span<const std::byte> bytes);

  /// Once the snapshot is whole: asks for an acknowledgement, sends a PING now and then, reads what
  /// the replica acknowledges, and does not end by itself but with the connection.
  [[nodiscard]] boost::asio::awaitable<Result<void>> follow();
  /// Whether the replica has acknowledged `offset`; waits for that for at most `limit`. Errors: why
  /// follow() ended. One such call at a time, beside follow().
  [[nodiscard]] boost::asio::awaitable<Result<bool>> acknowledged(std::uint64_t offset,
                                                                  std::chrono::milliseconds limit);

  /// Whether follow() still goes on after `limit`; at once when it does not. Cancellation: false.
  [[nodiscard]] boost::asio::awaitable<Result<bool>> is_linked(std::chrono::milliseconds limit);

  /// Bytes of the snapshot so far.
  [[nodiscard]] std::uint64_t snapshot_bytes() const noexcept { return snapshot_bytes_; }
  /// The replication offset behind all that was sent.
  [[nodiscard]] std::uint64_t sent_offset() const noexcept { return sent_offset_; }
  [[nodiscard]] std::uint64_t acked_offset() const noexcept { return acked_offset_; }

 private:
  boost::asio::awaitable<Result<void>> write(std::string_view text);
  boost::asio::awaitable<Result<void>> write_stream(std::string_view command);
  boost::asio::awaitable<bool> ping();
  boost::asio::awaitable<Result<void>> read_acks();
  void on_command(const CommandParser::Command& command);
  [[nodiscard]] bool is_silent() const;

  std::unique_ptr<Connection> connection_;
  SessionOptions options_;
  ReplicaPeer peer_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> inbox_;  // read but not yet taken; lies in buffer_
  CommandParser commands_;            // after the handshake
  boost::asio::steady_timer news_;    // whoever waits for an acknowledgement
  std::chrono::steady_clock::time_point heard_at_;
  bool has_acked_ = false;
  std::optional<Error> ended_;
  std::atomic<std::uint64_t> snapshot_bytes_ = 0;
  std::atomic<std::uint64_t> snapshot_bytes_left_ = 0;
  std::atomic<std::uint64_t> sent_offset_ = 0;
  std::atomic<std::uint64_t> acked_offset_ = 0;
};

}  // namespace sluice::net
