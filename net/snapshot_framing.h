#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "net/error.h"
#include "net/handshake.h"
#include "net/line_buffer.h"
#include "net/snapshot_sink.h"

namespace sluice::net {

/// Finds the snapshot in the bytes that follow the reply to PSYNC, and hands it to a sink uncopied.
///
///   transfer := newline* header payload
///   header   := "$" decimal CRLF               payload of exactly that many bytes
///             | "$EOF:" 40 bytes CRLF          payload up to the same 40 bytes, the EOF mark
///             | "-" text CRLF                  the save failed
///
/// Bytes behind the payload and the mark are left to the caller: the command stream, or the stray
/// newlines that some servers send.
/// Memory: the header line. Of the payload nothing: what may be the start of a mark is by
/// definition
///         a prefix of it, and only its length (at most 39) is kept.
/// Errors: save_failed or what refusal() says of the text, protocol_error, reply_too_large,
///         sink_aborted; sticky.
/// Source: Redis src/replication.c, readSyncBulkPayload().
class SnapshotFraming {
 public:
  static constexpr std::size_t mark_size = 40;
  static constexpr std::size_t header_bytes_max = 64UL << 10;

  /// `sink` outlives the machine. `granted` is what the sink is told in on_begin().
  SnapshotFraming(FullResync granted, SnapshotSink& sink);

  /// Takes bytes from the front of `input`; returns how many. Fewer than input.size() only when
  /// done().
  [[nodiscard]] Result<std::size_t> feed(std::span<const std::byte> input);
  /// No more input will come: Errc::cut_short with the counts, unless done().
  [[nodiscard]] Result<void> finish() const;
  [[nodiscard]] bool done() const noexcept { return state_ == State::done; }

  [[nodiscard]] bool in_payload() const noexcept { return begun_; }
  /// Payload bytes given to the sink so far.
  [[nodiscard]] std::uint64_t payload_bytes() const noexcept { return payload_bytes_; }
  /// What the header said; absent before it and with an EOF mark.
  [[nodiscard]] std::optional<std::uint64_t> length_bytes() const noexcept { return length_bytes_; }

 private:
  enum class State : std::uint8_t { header, counted, marked, done, failed };

  Result<void> step(std::span<const std::byte>& input);
  Result<void> step_header(std::span<const std::byte>& input);
  Result<void> step_counted(std::span<const std::byte>& input);
  Result<void> step_marked(std::span<const std::byte>& input);
  Result<void> step_straddling(std::span<const std::byte>& input);
  Result<void> on_header(std::string_view line);
  Result<void> hand_on(std::span<const std::byte> payload);
  Result<void> end_with_mark(std::span<const std::byte> payload);

  [[nodiscard]] std::size_t mark_prefix_at_end(std::span<const std::byte> bytes) const noexcept;

  FullResync granted_;
  SnapshotSink& sink_;
  State state_ = State::header;
  LineBuffer line_;
  bool begun_ = false;
  std::array<std::byte, mark_size> mark_{};
  std::size_t held_size_ = 0;  // bytes taken but not handed on; they equal the front of mark_
  std::optional<std::uint64_t> length_bytes_;
  std::uint64_t left_bytes_ = 0;  // of a counted payload
  std::uint64_t payload_bytes_ = 0;
  std::optional<Error> failure_;
};

}  // namespace sluice::net
