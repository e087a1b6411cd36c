#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "net/command_batch.h"
#include "net/connection.h"
#include "net/error.h"
#include "net/resp.h"

namespace sluice::net {

/// Is told what became of each command, in the order of the commands, on the writer's executor.
/// The key dies with the call.
class ReplyHandler {
 public:
  virtual ~ReplyHandler() = default;

  /// The server's answer; it may be an error reply (BUSYKEY, OOM, MOVED ...).
  virtual void on_reply(std::uint64_t tag, std::span<const std::byte> key, const Reply& reply) = 0;
  /// The connection was lost: whether the server carried this command out is not known.
  virtual void on_unanswered(std::uint64_t tag, std::span<const std::byte> key) = 0;
};

struct TargetWriterOptions {
  /// Bytes of commands written whose replies have not all come. A single larger batch passes when
  /// nothing else is in flight.
  std::size_t inflight_bytes_max = 32UL << 20;
  std::chrono::milliseconds silence_timeout{60'000};  ///< See with_silence_limit().
  ReplyLimits limits;
};

/// Writes commands to a server without waiting for each reply, and matches the replies in order.
/// Neither copies nor moves. `connection` and `handler` outlive it.
///
/// Nothing runs between calls: write() and finish() read and write at once while they run, so that
/// a server that answers while we still write cannot block us both.
///
/// Each command given to write() gets exactly one of on_reply() and on_unanswered(), the latest
/// when finish() returns or any call fails. A call after a failure tells the commands of its own
/// batch. A command cut off before its end_command() was never a command: it gets neither. Memory:
/// the batch being written, entries and keys of those in flight. Errors: those of Connection,
/// timed_out, protocol_error, reply_too_large; the detail says how many
///         commands are unanswered. Sticky: later calls return the same error. Error replies are no
///         errors here.
/// Cancellation: terminal, gives Errc::cancelled; the connection is then of no further use.
class TargetWriter {
 public:
  TargetWriter(Connection& connection, ReplyHandler& handler, TargetWriterOptions options = {});
  TargetWriter(const TargetWriter&) = delete;
  TargetWriter& operator=(const TargetWriter&) = delete;

  /// Waits until `batch` fits under the in-flight limit, and writes it. Returns when all its bytes
  /// are with the system; replies may be outstanding.
  [[nodiscard]] boost::asio::awaitable<Result<void>> write(CommandBatch batch);
  /// Waits for all outstanding replies.
  [[nodiscard]] boost::asio::awaitable<Result<void>> finish();

  /// Waits for some replies, one at least unless none are outstanding. Unlike the others it may be
  /// cancelled and called again, and has no deadline of its own.
  [[nodiscard]] boost::asio::awaitable<Result<void>> read();

  /// Another limit from the next write() on. Not while a call is in progress.
  void set_inflight_bytes_max(std::size_t bytes) noexcept { options_.inflight_bytes_max = bytes; }

  /// Commands without a reply: still outstanding, or after a failure lost.
  [[nodiscard]] std::uint64_t unanswered_count() const noexcept { return unanswered_count_; }
  [[nodiscard]] std::size_t inflight_bytes() const noexcept { return inflight_bytes_; }

 private:
  // A batch with unanswered commands.
  struct InFlight {
    CommandBatch batch;
    std::size_t bytes = 0;  // with those of pieces before it
    std::size_t next = 0;   // entry whose reply comes next
  };

  boost::asio::awaitable<Result<void>> drain(std::size_t inflight_bytes_max);
  boost::asio::awaitable<Result<void>> write_reading(std::span<const std::byte> bytes);
  boost::asio::awaitable<Result<void>> read_until_failure();
  boost::asio::awaitable<Result<void>> read_replies();
  boost::asio::awaitable<Result<void>> guarded(boost::asio::awaitable<Result<void>> op);
  Result<void> on_reply(const Reply& reply);
  void add(CommandBatch batch, std::size_t bytes);
  const Error& fail(Error error);
  void tell_unanswered(const CommandBatch& batch, std::size_t first);

  Connection& connection_;
  ReplyHandler& handler_;
  TargetWriterOptions options_;
  ReplyParser parser_;
  std::vector<std::byte> buffer_;
  std::deque<InFlight> in_flight_;
  std::size_t inflight_bytes_ = 0;
  std::size_t piece_bytes_ = 0;  // written, of a command that has not ended yet
  std::uint64_t unanswered_count_ = 0;
  std::optional<Error> failure_;
};

}  // namespace sluice::net
