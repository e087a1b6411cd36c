#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "net/command_batch.h"
#include "net/redirect.h"
#include "net/resp.h"
#include "net/target_writer.h"
#include "net/topology.h"

namespace sluice::net {

/// Whether a command may be carried out twice.
enum class Repeat : std::uint8_t {
  never,         ///< RPUSH, for example: or who knows.
  with_replace,  ///< RESTORE.
  always,
};

/// That of an encoded command, by its name in the first bytes.
[[nodiscard]] Repeat repeat_of(std::string_view beginning) noexcept;

/// A command that is kept until a cluster has carried it out for good.
struct HeldCommand {
  using Clock = std::chrono::steady_clock;

  std::uint64_t tag = 0;
  std::string key;
  std::string bytes;       ///< Encoded; none: they are in the spool, or it is done.
  std::uint16_t slot = 0;  ///< Where it goes.
  bool is_spooled = false;
  Repeat repeat = Repeat::never;
  bool is_part = false;         ///< Of one that goes to every primary, and not the last part.
  bool may_have_run = false;    ///< It was sent, and its answer lost.
  bool has_run = false;         ///< Its answer came, but what it wrote may be lost.
  bool replaces = false;        ///< REPLACE was added.
  std::optional<HostPort> ask;  ///< Where it goes instead, this once.
  Clock::time_point not_before;
  std::optional<Clock::time_point> trouble_since;
  std::optional<Reply> reply;
  bool done = false;

  unsigned redirections = 0;
};

/// Commands in the order in which they came. Answers are passed on in that order, whatever order
/// they come in.
///
/// Threads: one at a time.
class HeldCommands {
 public:
  /// Returns the number by which it is known.
  std::uint64_t add(HeldCommand command);
  [[nodiscard]] HeldCommand& operator[](std::uint64_t number) { return commands_[number - first_]; }
  /// Gives it REPLACE.
  void make_replace(std::uint64_t number);
  /// Its reply is there, or none will come.
  void finish(std::uint64_t number);
  /// Tells `handler` of those at the front that are done, and forgets them.
  void deliver(ReplyHandler& handler);
  /// Tells it of all.
  void deliver_all(ReplyHandler& handler);

  [[nodiscard]] bool empty() const noexcept { return commands_.empty(); }
  [[nodiscard]] std::size_t count() const noexcept { return commands_.size(); }
  /// What they take.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  static std::size_t bytes_of(const HeldCommand& command) noexcept;
  void tell(const HeldCommand& command, ReplyHandler& handler);

  std::deque<HeldCommand> commands_;
  std::uint64_t first_ = 0;
  std::size_t bytes_ = 0;
  std::optional<Reply> part_error_;  // of the command whose parts are being told
};

/// The encoded command with one argument more, REPLACE.
[[nodiscard]] std::string with_replace(std::string_view bytes);
/// The same for one whose bytes are elsewhere: how many of its first bytes to leave out, and what
/// to write before and after the rest.
struct ReplaceFrame {
  std::size_t skip = 0;
  std::string head;
  std::string tail;
};
[[nodiscard]] ReplaceFrame replace_frame(std::string_view beginning);

}  // namespace sluice::net
