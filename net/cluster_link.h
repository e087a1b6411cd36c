#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/command_batch.h"
#include "net/connection.h"
#include "net/held_commands.h"
#include "net/target_writer.h"

namespace sluice::net {

/// Keeps the bytes of one command that is too long for memory, so that it can be sent again.
class CommandSpool {
 public:
  virtual ~CommandSpool() = default;

  [[nodiscard]] virtual Result<void> append(std::span<const std::byte> bytes) = 0;
  /// Some of the bytes from `offset` on, one at least, `bytes_max` at most. Valid until the next
  /// call.
  [[nodiscard]] virtual Result<std::span<const std::byte>> piece(std::uint64_t offset,
                                                                 std::size_t bytes_max) = 0;
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
  /// Forgets them.
  virtual void clear() = 0;
};

class ClusterLink;

/// Is told what a node says. On the link's executor.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;

  /// The answer to a command. `is_final`: no confirmation will come.
  virtual void on_answer(const ClusterLink& from, std::uint64_t number, const Reply& reply,
                         bool is_final) = 0;
  /// What a command wrote is with a replica too, or there is none to wait for any more.
  virtual void on_confirmed(std::uint64_t number) = 0;
  /// No replica has confirmed within a second. `gives_up`: none is waited for any more.
  virtual void on_unconfirmed(bool gives_up) = 0;
};

/// The connection to one node of a cluster, and what was sent on it.
///
/// A primary that was killed has perhaps not passed on what it said OK to. So where it has a
/// replica, WAIT follows each write, and a command counts once that says that a replica has it.
/// Source: Redis documentation, WAIT.
class ClusterLink final : private ReplyHandler {
 public:
  /// `events` outlives this.
  ClusterLink(std::unique_ptr<Connection> connection, HostPort address, LinkEvents& events,
              std::chrono::milliseconds silence_timeout);
  ClusterLink(const ClusterLink&) = delete;
  ClusterLink& operator=(const ClusterLink&) = delete;

  [[nodiscard]] const HostPort& address() const noexcept { return address_; }

  /// Whether there is a replica to wait for. Once not: all that was answered is confirmed.
  void set_has_replica(bool has_replica);

  /// To be sent by the next send(). `asking`: after ASKING.
  void queue(std::uint64_t number, std::string_view bytes, bool asking);
  /// The same for what is in `spool`, which is not changed until it is answered; nothing else is on
  /// its way meanwhile.
  void queue_spooled(std::uint64_t number, CommandSpool& spool, bool replaces, bool asking);

  [[nodiscard]] bool has_to_send() const noexcept;
  [[nodiscard]] bool awaits_replies() const noexcept { return !sent_.empty(); }
  /// Since when nothing was heard, while something was awaited. Precondition: awaits_replies().
  [[nodiscard]] HeldCommand::Clock::time_point quiet_since() const noexcept { return heard_at_; }

  /// Writes what is queued. Errors: the link is of no further use.
  [[nodiscard]] boost::asio::awaitable<Result<void>> send();
  /// Waits for some replies. Errors: the same, but for cancelled.
  [[nodiscard]] boost::asio::awaitable<Result<void>> read() { return writer_.read(); }

  /// What was on its way when the link broke.
  struct Lost {
    std::vector<std::uint64_t> unsent;
    std::vector<std::uint64_t> unanswered;
    std::vector<std::uint64_t> unconfirmed;
  };
  [[nodiscard]] Lost take_lost();

 private:
  static constexpr std::uint64_t asking_tag = ~std::uint64_t{0};
  static constexpr std::uint64_t wait_tag = asking_tag - 1;
  static bool is_own(std::uint64_t tag) noexcept { return tag >= wait_tag; }

  void on_reply(std::uint64_t tag, std::span<const std::byte> key, const Reply& reply) override;
  void on_unanswered(std::uint64_t, std::span<const std::byte>) override {}  // see take_lost()
  void on_wait_reply(const Reply& reply);
  void confirm_all();
  void add_own(std::string_view command, std::uint64_t tag);
  boost::asio::awaitable<Result<void>> send_spooled();

  std::unique_ptr<Connection> connection_;
  HostPort address_;
  LinkEvents& events_;
  TargetWriter writer_;
  CommandBatch batch_;
  std::vector<std::uint64_t> queued_;  // numbers, and own tags, in the batch
  std::deque<std::uint64_t> sent_;     // without a reply
  std::vector<std::uint64_t> unconfirmed_;
  bool has_replica_ = false;
  unsigned waits_on_way_ = 0;
  unsigned waits_in_vain_ = 0;
  HeldCommand::Clock::time_point heard_at_;
  struct Spooled {
    std::uint64_t number = 0;
    CommandSpool* spool = nullptr;
    bool replaces = false;
  };
  std::optional<Spooled> spooled_;
};

}  // namespace sluice::net
