#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/command_parser.h"
#include "net/error.h"

namespace sluice::net {

/// What a replica has said of itself, and from where.
struct ReplicaPeer {
  std::string address;               ///< IP address.
  std::uint16_t port = 0;            ///< Of its end of the connection.
  std::uint16_t listening_port = 0;  ///< REPLCONF listening-port; zero when not said.
  std::string version;               ///< REPLCONF version, which only Valkey says.
  std::string replid;                ///< Of the history it asked to go on with; "?" or empty: none.
  bool by_psync = false;             ///< It wants a FULLRESYNC line before the snapshot.
};

/// What a replica says to its primary before the snapshot, as a machine without I/O: it is told
/// what came and says what to reply.
///
///   while (!h.done()) { read; rest = rest.subspan(*h.feed(rest)); write(h.take_replies()); }
///
/// Takes inline commands and RESP, in any case, many in one read. PSYNC is granted whatever it
/// asks for. Without a password AUTH is always right; with one nothing but AUTH is answered before
/// it, and one wrong password ends the dialogue.
/// Memory: one command, within CommandLimits, and its replies.
/// Errors: auth_failed, protocol_error, reply_too_large; sticky. What take_replies() then gives is
///         still to be sent.
/// Source: Redis src/replication.c syncCommand(), replconfCommand(), syncWithMaster().
class ReplicaHandshake {
 public:
  /// So many and the peer is no replica.
  static constexpr std::size_t commands_max = 64;

  /// `password` may be absent: then anyone may come.
  explicit ReplicaHandshake(std::optional<std::string> password);

  /// Takes bytes from the front of `input`; returns how many. Fewer than input.size() only when
  /// done().
  [[nodiscard]] Result<std::size_t> feed(std::span<const std::byte> input);
  /// What is to be sent now; empty when nothing is.
  [[nodiscard]] std::string take_replies();
  /// PSYNC or SYNC came; the answer to it is the caller's.
  [[nodiscard]] bool done() const noexcept { return done_; }
  /// What was said so far; the address is the caller's to fill in.
  [[nodiscard]] const ReplicaPeer& peer() const noexcept { return peer_; }

 private:
  Result<void> on_command(const CommandParser::Command& command);
  Result<void> on_auth(const CommandParser::Command& command);
  void on_replconf(const CommandParser::Command& command);
  void on_sync(const CommandParser::Command& command);

  CommandParser parser_;
  std::optional<std::string> password_;
  bool authenticated_;
  bool done_ = false;
  std::size_t commands_ = 0;
  std::string replies_;
  ReplicaPeer peer_;
  std::optional<Error> failure_;
};

/// Takes as long whatever the two have in common, so that a password cannot be guessed bit by bit.
[[nodiscard]] bool same_secret(std::string_view one, std::string_view other) noexcept;

}  // namespace sluice::net
