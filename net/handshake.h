#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/error.h"
#include "net/line_buffer.h"

namespace sluice::net {

/// What the server granted. Names are those of Redis replication.
struct FullResync {
  std::string replid;        ///< 40 hex digits.
  std::uint64_t offset = 0;  ///< Replication offset: the snapshot holds every byte up to it.
};

struct HandshakeOptions {
  std::string user;      ///< Empty: the default user.
  std::string password;  ///< No AUTH is sent when both are empty.
  /// Shown in the INFO of the source; nobody listens there. 9 is the discard port.
  std::uint16_t listening_port = 9;
  /// The version we can read. Without it Valkey 9 sends RDB 11 and fails on hash-field expiries.
  std::string announced_version = "9.1.0";
  /// Go on behind this offset of a history, if the source still has what comes after it.
  std::optional<FullResync> resume = std::nullopt;
  bool rdb_only = true;  ///< Ask for the snapshot without the command stream after it (Redis >= 7).
};

/// The replication handshake as a machine without I/O: it says what to send and is told what came.
///
///   while (!h.done()) { if (!h.to_send().empty()) { write(h.to_send()); h.on_sent(); }
///                       read; h.feed(what was read); }
///
/// Every command waits for its reply; PSYNC must have no unread reply before it.
/// Memory: one line, at most `line_bytes_max`.
/// Errors: as refusal() says, auth_failed for any error to AUTH, protocol_error, reply_too_large;
///         sticky. Errors to REPLCONF other than NOAUTH, NOPERM, LOADING and a lost master are
///         passed over: an old server does not know all options.
/// Source: Redis src/replication.c, syncWithMaster() and slaveTryPartialResynchronization().
class Handshake {
 public:
  static constexpr std::size_t line_bytes_max = 64UL << 10;

  explicit Handshake(const HandshakeOptions& options);

  /// Bytes to write now; empty while a reply is awaited and once done(). Valid until on_sent().
  [[nodiscard]] std::string_view to_send() const noexcept;
  /// What to_send() gave is written.
  void on_sent() noexcept { sent_ = true; }

  /// Takes bytes from the front of `input`, at most one line; returns how many. What follows the
  /// reply to PSYNC is the snapshot and is left to the caller.
  [[nodiscard]] Result<std::size_t> feed(std::span<const std::byte> input);

  [[nodiscard]] bool done() const noexcept { return at_ == steps_.size(); }
  /// The name of the command in progress, for error messages.
  [[nodiscard]] std::string_view command() const noexcept;
  /// Precondition: done().
  [[nodiscard]] const FullResync& granted() const noexcept { return granted_; }
  /// Whether what comes is the stream from where `resume` said, and no snapshot. Then granted() has
  /// the name that the history goes by now.
  [[nodiscard]] bool continues() const noexcept { return continues_; }

 private:
  enum class Kind : std::uint8_t { ping, auth, replconf, psync };
  struct Step {
    Kind kind;
    std::string name;     // for messages, without arguments that could be secret
    std::string command;  // encoded
  };

  Result<void> on_reply(std::string_view line);
  [[nodiscard]] Result<void> on_ping(std::string_view line) const;
  [[nodiscard]] Result<void> on_auth(std::string_view line) const;
  [[nodiscard]] Result<void> on_replconf(std::string_view line) const;
  Result<void> on_psync(std::string_view line);

  bool has_credentials_;
  std::optional<FullResync> resume_;
  std::vector<Step> steps_;
  std::size_t at_ = 0;
  bool sent_ = false;
  LineBuffer line_;
  FullResync granted_;
  bool continues_ = false;
  std::optional<Error> failure_;
};

/// What a refused AUTH means. Old servers repeat the arguments of a command they do not know: that
/// part is cut off, so that the password never reaches a message.
[[nodiscard]] Error auth_refusal(std::string_view text);

}  // namespace sluice::net
