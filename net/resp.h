#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/error.h"
#include "net/line_buffer.h"

namespace sluice::net {

/// One RESP2 reply. An error reply is a Reply too: whether it is a failure is for the caller to
/// say.
struct Reply {
  enum class Type : std::uint8_t { simple, error, integer, bulk, array, null };

  Type type = Type::null;
  std::string text;             ///< simple, error (without the '-') and bulk.
  std::int64_t integer = 0;     ///< integer.
  std::vector<Reply> elements;  ///< array.

  [[nodiscard]] bool is_error() const noexcept { return type == Type::error; }
};

/// What a server may make us hold. Each is checked before the memory is taken.
struct ReplyLimits {
  std::size_t line_bytes_max = 64UL << 10;
  std::size_t bulk_bytes_max = 64UL << 20;
  std::size_t reply_bytes_max = 128UL << 20;  ///< Texts and elements of one reply together.
  std::size_t depth_max = 8;                  ///< Arrays within arrays.
};

/// Reads RESP2 replies from any cuts of the input.
///
/// Memory: the reply being read, within `limits`; a bulk grows as its bytes come.
/// Errors: Errc::protocol_error, Errc::reply_too_large; sticky: later calls return the same error.
/// Source: Redis documentation, "Redis serialization protocol specification", version 2.
class ReplyParser {
 public:
  explicit ReplyParser(ReplyLimits limits = {});

  /// Takes bytes from the front of `input`, at most to the end of one reply; returns how many.
  /// Fewer than input.size() only when done().
  [[nodiscard]] Result<std::size_t> feed(std::span<const std::byte> input);
  /// No more input will come: Errc::closed_by_peer inside a reply.
  [[nodiscard]] Result<void> finish() const;
  [[nodiscard]] bool done() const noexcept { return state_ == State::done; }
  /// The whole reply; the parser is then ready for the next. Precondition: done().
  [[nodiscard]] Reply take();

 private:
  enum class State : std::uint8_t { line, bulk, done, failed };
  struct OpenArray {
    Reply reply;
    std::int64_t left = 0;  // elements still to come
  };

  Result<void> step(std::span<const std::byte>& input);
  Result<void> step_line(std::span<const std::byte>& input);
  Result<void> step_bulk(std::span<const std::byte>& input);
  Result<void> on_line(std::string_view line);
  Result<void> on_bulk_length(std::int64_t length);
  Result<void> on_array_length(std::int64_t length);
  Result<void> charge(std::size_t bytes);
  Result<void> add(Reply reply);

  ReplyLimits limits_;
  State state_ = State::line;
  LineBuffer line_;
  std::size_t bulk_left_ = 0;      // with the closing CRLF
  std::size_t charged_bytes_ = 0;  // against reply_bytes_max
  Reply current_;                  // a bulk being read, or the whole reply once done
  std::vector<OpenArray> open_;
  std::optional<Error> failure_;
};

/// Appends one command as a RESP array of bulk strings; arguments may hold any bytes.
void append_command(std::string& out, std::span<const std::string_view> args);

[[nodiscard]] std::string encode_command(std::initializer_list<std::string_view> args);

}  // namespace sluice::net
