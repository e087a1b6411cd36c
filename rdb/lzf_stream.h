#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "rdb/lzf.h"

namespace sluice::rdb {

/// An element that the end of a part has cut.
struct LzfCarry {
  std::array<std::byte, 3> match{};  ///< The first `match_bytes` bytes of a match.
  std::uint8_t match_bytes = 0;
  std::uint8_t run = 0;  ///< Literals that are still to come.

  [[nodiscard]] bool empty() const noexcept { return match_bytes == 0 && run == 0; }
  /// Takes bytes of a match off the front of `in`. True when that makes it whole; it stands in
  /// `match` and is no longer carried.
  [[nodiscard]] bool complete_match(std::span<const std::byte>& in) noexcept;
};

/// Expands an LZF string that comes in parts, whatever its size:
///
///     stream.begin(compressed_bytes, plain_bytes);
///     while (!part.empty() && !stream.done()) {      // for each part, cut anywhere
///       use(stream.next(part));                      // may be empty
///       if (stream.malformed()) return ...;
///     }
///
/// Accepts what lzf_decompress() accepts, and the pieces make up the same bytes. A refusal comes at
/// the latest with the last compressed byte, so that there is nothing to finish. What the elements
/// before a malformed one expand to is handed out all the same, whatever the cuts.
///
/// Memory:  24.5 KiB from the first begin() on, kept for the strings that follow.
/// Threads: none; one stream, one thread at a time.
class LzfStream {
 public:
  /// Begins a string, whatever became of the one before.
  void begin(std::uint64_t compressed_bytes, std::uint64_t plain_bytes);

  /// Takes bytes off the front of `in`, never past the end of the string, and returns what they
  /// expand to. Takes at least one unless `in` is empty or the string has ended; whatever was taken
  /// has been handed out, but for an element that is not whole. The piece is valid until the next
  /// call.
  [[nodiscard]] std::span<const std::byte> next(std::span<const std::byte>& in) noexcept;

  [[nodiscard]] bool done() const noexcept { return state_ == State::done; }
  [[nodiscard]] bool malformed() const noexcept { return state_ == State::malformed; }

 private:
  enum class State : std::uint8_t { reading, done, malformed };

  // The history, then what one call produces, then room for the elements that are finished once
  // that is full and for what a fast copy writes past them.
  static constexpr std::size_t fresh_bytes = 16 << 10;
  static constexpr std::size_t pause_at = lzf_distance_max + fresh_bytes;
  static constexpr std::size_t window_bytes = pause_at + 512;

  void make_room() noexcept;
  [[nodiscard]] bool expand(std::span<const std::byte>& in) noexcept;
  void append_run(std::span<const std::byte>& in) noexcept;
  [[nodiscard]] bool carry_rest(std::span<const std::byte>& in) noexcept;

  std::unique_ptr<std::byte[]> window_;
  std::size_t end_ = 0;  ///< Of what stands in the window.
  std::uint64_t compressed_left_ = 0;
  std::uint64_t plain_left_ = 0;
  LzfCarry carry_;
  State state_ = State::done;
};

/// Checks an LZF string that comes in parts without expanding it. Accepts what LzfStream accepts.
///
/// Threads: none; one measure, one thread at a time.
class LzfMeasure {
 public:
  /// Begins a string, whatever became of the one before.
  void begin(std::uint64_t compressed_bytes, std::uint64_t plain_bytes) noexcept;

  /// Takes bytes off the front of `in`: all of it, or up to the end of the string. False when the
  /// string is malformed.
  [[nodiscard]] bool feed(std::span<const std::byte>& in) noexcept;

  [[nodiscard]] bool done() const noexcept { return state_ == State::done; }
  [[nodiscard]] bool malformed() const noexcept { return state_ == State::malformed; }

 private:
  enum class State : std::uint8_t { reading, done, malformed };

  [[nodiscard]] bool pass(std::span<const std::byte> in) noexcept;

  std::uint64_t compressed_left_ = 0;
  std::uint64_t plain_bytes_ = 0;
  std::uint64_t plain_ = 0;  ///< Bytes so far, a run counted once it is announced.
  LzfCarry carry_;
  State state_ = State::done;
};

}  // namespace sluice::rdb
