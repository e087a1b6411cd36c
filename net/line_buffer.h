#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "net/error.h"

namespace sluice::net {

/// Collects one line that ends in '\n' from any cuts of the input.
///
/// Memory: at most `bytes_max`. Errors: Errc::reply_too_large for a longer line.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  /// Takes bytes from the front of `input` up to and with the '\n'; returns how many.
  [[nodiscard]] Result<std::size_t> feed(std::span<const std::byte> input);

  [[nodiscard]] bool whole() const noexcept { return held_.ends_with('\n'); }
  /// The whole line without its "\r\n" or "\n". Valid until the next feed() or clear().
  [[nodiscard]] std::string_view line() const noexcept;
  /// Forgets the line; the memory is kept for the next.
  void clear() noexcept { held_.clear(); }
  [[nodiscard]] bool empty() const noexcept { return held_.empty(); }

 private:
  std::size_t bytes_max_;
  std::string held_;
};

}  // namespace sluice::net
