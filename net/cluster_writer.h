#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/cluster_link.h"
#include "net/command_batch.h"
#include "net/command_scanner.h"
#include "net/held_commands.h"
#include "net/login.h"
#include "net/target_writer.h"
#include "net/topology.h"

namespace sluice::net {

struct ClusterWriterOptions {
  enum class Route : std::uint8_t {
    by_key,         ///< To the primary of its key's slot.
    every_primary,  ///< FUNCTION LOAD, SCRIPT LOAD: one answer, an error if there was any.
    session,        ///< SELECT: the same, and again on every connection that is made later.
  };

  Login login;  ///< Into every node; host and port are not looked at.
  /// By the tag of a command.
  std::function<Route(std::uint64_t tag)> route;
  /// Whether a RESTORE whose answer was lost may be sent again with REPLACE: not when a key that
  /// was there before must stay.
  bool may_replace = true;
  /// Bytes of commands that are kept until they have been carried out.
  std::size_t inflight_bytes_max = 32UL << 20;
  /// How long a command may be refused or find no node before this gives up.
  std::chrono::milliseconds patience{60'000};
  CommandSpool* spool = nullptr;  ///< For commands that are too long; outlives the writer.
  std::size_t command_bytes_max = 2UL << 20;  ///< Longer ones are spooled, if they come in pieces.
  /// Told what keeps it waiting, now and then; may be empty.
  std::function<void(std::string_view)> on_trouble;
};

/// What came between, beside answers.
struct ClusterWriterStats {
  std::uint64_t redirected = 0;  ///< MOVED and ASK.
  std::uint64_t put_off = 0;     ///< CLUSTERDOWN, TRYAGAIN, LOADING and the like.
  std::uint64_t sent_again = 0;  ///< After a connection was lost.
  std::uint64_t lost_links = 0;
  bool unconfirmed = false;  ///< A replica did not say that it has what was written.
};

/// TargetWriter for a cluster: each command goes to the primary of its key's slot, whoever that is
/// by then. Commands are kept until they were carried out, and are sent again when slots move, a
/// primary fails over or a connection is lost. Neither copies nor moves.
///
/// A RESTORE whose answer was lost, or whose primary may have died before a replica had it, is sent
/// again, with REPLACE where that is allowed or an answer had come. Any other command is not: it
/// counts as unanswered, or as it was answered. As with TargetWriter nothing runs between calls,
/// each command gets exactly one of on_reply() and on_unanswered(), in the order of the commands,
/// and a failure is sticky. A command in pieces is sent when its last piece has come; a long one is
/// spooled.
///
/// Memory:  twice inflight_bytes_max at most, when everything has to be sent again.
/// Errors:  timed_out once `patience` is over, with what the cluster said last; those of the spool;
///          cancelled.
/// Threads: the executor of the calling coroutine, one thread.
class ClusterWriter final : private LinkEvents {
 public:
  /// `handler` outlives it.
  ClusterWriter(boost::asio::any_io_executor executor, const Topology& topology,
                ReplyHandler& handler, ClusterWriterOptions options);
  ClusterWriter(const ClusterWriter&) = delete;
  ClusterWriter& operator=(const ClusterWriter&) = delete;

  [[nodiscard]] boost::asio::awaitable<Result<void>> write(CommandBatch batch);
  [[nodiscard]] boost::asio::awaitable<Result<void>> finish();

  [[nodiscard]] const ClusterWriterStats& stats() const noexcept { return stats_; }
  [[nodiscard]] std::size_t inflight_bytes() const noexcept { return held_.bytes(); }

 private:
  using Clock = HeldCommand::Clock;
  using Route = ClusterWriterOptions::Route;
  static constexpr std::size_t no_node = ~std::size_t{0};

  /// A server that serves slots, or served some.
  struct Node {
    HostPort address;
    bool has_replica = false;
    std::unique_ptr<ClusterLink> link;
    Clock::time_point not_before;  // to connect again
  };

  // What is given.
  boost::asio::awaitable<Result<void>> take(const CommandBatch& batch);
  HeldCommand command_of(const CommandBatch& batch, const CommandBatch::Entry& entry);
  void keep_piece(std::string_view bytes);
  [[nodiscard]] bool goes_alone(const HeldCommand& command) const;
  boost::asio::awaitable<Result<void>> send_alone(HeldCommand command);
  boost::asio::awaitable<Result<void>> send_spooled(HeldCommand command);
  boost::asio::awaitable<Result<void>> to_every_primary(HeldCommand command);
  void hold(HeldCommand command);

  // What is sent.
  boost::asio::awaitable<Result<void>> drive(std::size_t bytes_max);
  boost::asio::awaitable<void> turn(std::size_t bytes_max);
  boost::asio::awaitable<void> open_links();
  boost::asio::awaitable<Result<std::unique_ptr<ClusterLink>>> open_link(HostPort address);
  [[nodiscard]] std::vector<Node*> nodes_to_open();
  void dispatch();
  bool send_one(std::uint64_t number);
  boost::asio::awaitable<void> send_all();
  boost::asio::awaitable<void> read_any();
  boost::asio::awaitable<void> refresh_map();
  void take_map(const Topology& topology);

  // What comes back.
  void on_answer(const ClusterLink& from, std::uint64_t number, const Reply& reply,
                 bool is_final) override;
  void on_confirmed(std::uint64_t number) override { held_.finish(number); }
  void on_unconfirmed(bool gives_up) override;
  void redirect(std::uint64_t number, const Redirect& to);
  void put_off(std::uint64_t number, std::string_view why);
  void wait_again(std::uint64_t number);
  void lose(Node& node, const Error& error);
  void send_again(std::uint64_t number);
  void lose_quiet_links();

  [[nodiscard]] std::size_t node_at(const HostPort& address);
  [[nodiscard]] std::size_t node_for(const HeldCommand& command);
  [[nodiscard]] std::vector<HostPort> seeds() const;
  [[nodiscard]] bool is_reached(std::size_t bytes_max) const noexcept {
    return bytes_max > 0 ? held_.bytes() <= bytes_max : held_.empty();
  }
  [[nodiscard]] Clock::time_point next_due();
  void trouble(HeldCommand& command, std::string_view why);
  void fail(Error error);
  std::unexpected<Error> failed();

  boost::asio::any_io_executor executor_;
  ReplyHandler& handler_;
  ClusterWriterOptions options_;
  std::deque<Node> nodes_;
  std::vector<std::size_t> slot_nodes_;  // no_node: nobody
  std::vector<HostPort> all_addresses_;  // replicas too
  HeldCommands held_;
  std::deque<std::uint64_t> waiting_;  // numbers of what is to be sent, in order
  std::string session_;                // encoded command
  CommandScanner borders_;             // in what is given
  std::string piece_;                  // of a command that has begun, until it is long
  Repeat spooled_repeat_ = Repeat::never;
  bool map_wanted_ = false;
  Clock::time_point map_not_before_;
  Clock::time_point told_at_;
  std::string last_trouble_;
  ClusterWriterStats stats_;
  std::optional<Error> failure_;
};

}  // namespace sluice::net
