#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "net/command_batch.h"
#include "net/command_scanner.h"
#include "net/target_writer.h"

namespace sluice::engine {

/// Turns the command stream of a source into commands for a target: the same bytes, without what is
/// only between a primary and its replicas (PING, REPLCONF) or for the moment (PUBLISH). SELECT,
/// and MULTI with its EXEC, stay where they are.
///
/// Memory:  one batch of about batch_bytes, 64 bytes a command on its way. A command of any size
///          passes through in pieces.
/// Threads: feed() and flush() on one, the replies on any.
class CommandReplay final : public net::ReplyHandler {
 public:
  static constexpr std::size_t batch_bytes = 256 << 10;
  static constexpr std::size_t errors_max = 100;

  /// Blocks until the batch is on its way; false when the way is broken.
  using Send = std::function<bool(net::CommandBatch)>;

  /// `offset`: of the last byte before the stream.
  CommandReplay(std::uint64_t offset, Send send)
      : read_offset_(offset),
        applied_offset_(offset),
        send_(std::move(send)),
        rest_offset_(offset) {}

  /// The next bytes, cut anywhere. False when the way is broken.
  [[nodiscard]] bool feed(std::span<const std::byte> bytes);
  /// Sends what is gathered.
  [[nodiscard]] bool flush();

  /// Offset of the last byte that was fed.
  [[nodiscard]] std::uint64_t read_offset() const noexcept { return read_offset_; }
  /// Offset up to which the target has answered every command, outside of a transaction. Any
  /// thread.
  [[nodiscard]] std::uint64_t applied_offset() const noexcept { return applied_offset_; }
  /// All that was fed is at an end of a command and of a transaction.
  [[nodiscard]] bool at_rest() const noexcept { return scanner_.at_border() && !in_transaction_; }

  [[nodiscard]] std::uint64_t commands() const noexcept { return commands_; }
  /// Commands that the target refused, each as "VERB: what it said"; the first errors_max.
  [[nodiscard]] std::vector<std::string> errors() const;
  [[nodiscard]] std::uint64_t error_count() const noexcept { return error_count_; }

  void on_reply(std::uint64_t tag, std::span<const std::byte> key,
                const net::Reply& reply) override;
  void on_unanswered(std::uint64_t tag, std::span<const std::byte> key) override;

 private:
  enum class Fate : std::uint8_t { unknown, forward, drop };

  bool add(std::span<const std::byte> piece);
  bool end_command();
  void judge();

  std::uint64_t read_offset_;
  std::atomic<std::uint64_t> applied_offset_;
  std::atomic<std::uint64_t> commands_ = 0;
  std::atomic<std::uint64_t> error_count_ = 0;
  Send send_;
  net::CommandScanner scanner_;
  net::CommandBatch batch_;
  std::string head_;  // of the command, until it is known which it is
  std::string verb_;
  Fate fate_ = Fate::unknown;
  bool in_transaction_ = false;
  mutable std::mutex mutex_;       // of what follows
  std::uint64_t unanswered_ = 0;   // commands
  std::uint64_t rest_offset_ = 0;  // of the last end of a command outside of a transaction
  std::vector<std::string> errors_;
};

}  // namespace sluice::engine
