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

/// What a client may make us hold while it talks. Each is checked before the memory is taken.
struct CommandLimits {
  std::size_t line_bytes_max = 16UL << 10;
  std::size_t arguments_max = 64;
  std::size_t argument_bytes_max = 16UL << 10;
};

/// Reads the commands of a client, inline or as RESP arrays of bulk strings, from any cuts of the
/// input. Bare newlines between commands are passed over.
///
/// Memory: the command being read, within `limits`.
/// Errors: Errc::protocol_error, Errc::reply_too_large; sticky: later calls return the same error.
/// Source: Redis src/networking.c processInlineBuffer(), processMultibulkBuffer().
class CommandParser {
 public:
  using Command = std::vector<std::string>;

  explicit CommandParser(CommandLimits limits = {});

  /// Takes bytes from the front of `input`, at most to the end of one command; returns how many.
  /// Fewer than input.size() only when done().
  [[nodiscard]] Result<std::size_t> feed(std::span<const std::byte> input);
  [[nodiscard]] bool done() const noexcept { return state_ == State::done; }
  /// The whole command, of at least one argument; the parser is then ready for the next.
  /// Precondition: done().
  [[nodiscard]] Command take();

 private:
  enum class State : std::uint8_t { line, argument, done, failed };

  Result<void> step(std::span<const std::byte>& input);
  Result<void> step_line(std::span<const std::byte>& input);
  Result<void> step_argument(std::span<const std::byte>& input);
  Result<void> on_line(std::string_view line);
  Result<void> on_count(std::string_view digits);
  Result<void> on_length(std::string_view line);
  Result<void> on_inline(std::string_view line);

  CommandLimits limits_;
  State state_ = State::line;
  LineBuffer line_;
  std::size_t arguments_left_ = 0;  // of an array; zero outside of one
  std::size_t bytes_left_ = 0;      // of an argument, with its CRLF
  Command command_;
  std::optional<Error> failure_;
};

/// Whether two texts are the same where case does not count, as in the names of commands.
[[nodiscard]] bool same_word(std::string_view one, std::string_view other) noexcept;

}  // namespace sluice::net
