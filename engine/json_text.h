#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/output_buffer.h"

namespace sluice::engine {

class Spool;

/// Whether bytes that come in parts are UTF-8: no surrogates, no overlong forms, nothing above
/// U+10FFFF, no sequence that is cut off at the end. Source: RFC 3629.
class Utf8Checker {
 public:
  /// False once it is certain that they are not.
  bool feed(std::span<const std::byte> part);
  /// Whether all that was fed is complete and right.
  [[nodiscard]] bool complete() const noexcept { return ok_ && held_size_ == 0; }
  [[nodiscard]] bool ok() const noexcept { return ok_; }

 private:
  std::array<unsigned char, 4> held_{};  // a sequence that was cut
  std::size_t held_size_ = 0;
  bool ok_ = true;
};

[[nodiscard]] bool is_utf8(std::span<const std::byte> text);

/// Base64 with padding, from parts. Source: RFC 4648, section 4.
class Base64Writer {
 public:
  explicit Base64Writer(OutputBuffer& out) : out_(out) {}
  void append(std::span<const std::byte> part);
  /// Call once, after the last part; then a next text may begin.
  void finish();

 private:
  OutputBuffer& out_;
  std::array<std::byte, 3> held_{};
  std::size_t held_size_ = 0;
};

/// UTF-8 as it stands between the quotes of a JSON string; a part of a text may be cut anywhere.
void append_json_escaped(OutputBuffer& out, std::span<const std::byte> utf8);

/// A byte string: a JSON string where it is UTF-8, else {"$base64":"…"}.
void append_json_text(OutputBuffer& out, std::span<const std::byte> text);

/// The same, of a text that lies in a spool.
void append_json_text(OutputBuffer& out, Spool& spool, std::uint64_t offset, std::uint64_t size);

}  // namespace sluice::engine
