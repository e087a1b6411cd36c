#include "net/line_buffer.h"

#include <fmt/format.h>

#include <cstring>

namespace sluice::net {

Result<std::size_t> LineBuffer::feed(std::span<const std::byte> input) {
  if (input.empty()) return 0;
  const void* newline = std::memchr(input.data(), '\n', input.size());
  const std::size_t size =
      newline == nullptr
          ? input.size()
          : static_cast<std::size_t>(static_cast<const std::byte*>(newline) - input.data()) + 1;
  if (size > bytes_max_ - held_.size()) {
    return std::unexpected(
        Error{.code = Errc::reply_too_large,
              .detail = fmt::format("a line is longer than {} bytes", bytes_max_)});
  }
  held_.append(reinterpret_cast<const char*>(input.data()), size);
  return size;
}

std::string_view LineBuffer::line() const noexcept {
  std::string_view line = held_;
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace sluice::net
