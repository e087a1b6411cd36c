#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sluice::rdb {

/// What one step of a resumable reader came to: it is complete; it has taken all input there was
/// and goes on with the next; or it was refused, and the reader knows why.
enum class Step : std::uint8_t { ok, more, fail };

/// The number in `size` bytes, at most eight, the least significant first.
[[nodiscard]] inline std::uint64_t little_endian(const std::byte* from, std::size_t size) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, from, size);
  return value;
}

/// Small fixed-size tokens out of bytes that come in windows, cut anywhere.
class ByteCursor {
 public:
  static constexpr std::size_t token_bytes_max = 16;

  /// Forgets a token that was cut, and says where in the stream the next window begins.
  void restart(std::uint64_t offset) noexcept {
    held_size_ = 0;
    base_offset_ = offset;
  }
  /// `window` must stay alive until close().
  void open(std::span<const std::byte> window) noexcept {
    window_ = at_ = window.data();
    end_ = window.data() + window.size();
  }
  /// Returns how many bytes of the window were taken.
  std::size_t close() noexcept {
    const auto taken = static_cast<std::size_t>(at_ - window_);
    base_offset_ += taken;
    window_ = at_ = end_ = nullptr;
    return taken;
  }

  /// Takes `size` bytes, at most token_bytes_max, as one token: valid until the next call.
  Step take_bytes(std::size_t size, std::span<const std::byte>& token) noexcept {
    if (held_size_ == 0) {
      token_offset_ = here();
      if (left() >= size) {
        token = {at_, size};
        at_ += size;
        return Step::ok;
      }
    }
    const std::size_t taken = std::min(size - held_size_, left());
    std::copy_n(at_, taken, held_.data() + held_size_);
    at_ += taken;
    held_size_ += taken;
    if (held_size_ < size) return Step::more;
    held_size_ = 0;
    token = {held_.data(), size};
    return Step::ok;
  }
  Step take_byte(std::uint8_t& value) noexcept {
    if (at_ == end_) return Step::more;
    token_offset_ = here();
    value = std::to_integer<std::uint8_t>(*at_++);
    return Step::ok;
  }
  /// The first byte of the token that comes next, part of which may have been taken already.
  Step peek(std::uint8_t& value) noexcept {
    if (held_size_ == 0 && at_ == end_) return Step::more;
    value = std::to_integer<std::uint8_t>(held_size_ > 0 ? held_[0] : *at_);
    return Step::ok;
  }
  /// Takes what the window has of `size` bytes, and counts it off.
  std::span<const std::byte> take_part(std::uint64_t& size) noexcept {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(size, left()));
    const std::span<const std::byte> part(at_, taken);
    at_ += taken;
    size -= taken;
    return part;
  }

  [[nodiscard]] const std::byte* at() const noexcept { return at_; }
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  /// No token is cut: what follows at() is its beginning.
  [[nodiscard]] bool whole() const noexcept { return held_size_ == 0; }
  /// Moves on over bytes that the caller looked at itself; at most left().
  void advance(std::size_t size) noexcept {
    token_offset_ = here();
    at_ += size;
  }
  [[nodiscard]] const std::byte* end() const noexcept { return end_; }
  /// Moves on to `at`, in the window, over tokens that the caller read itself.
  void move_to(const std::byte* at) noexcept { at_ = at; }
  /// Stream offset of at().
  [[nodiscard]] std::uint64_t here() const noexcept {
    return base_offset_ + static_cast<std::uint64_t>(at_ - window_);
  }
  /// Stream offset at which the last token began.
  [[nodiscard]] std::uint64_t token_offset() const noexcept { return token_offset_; }
  void set_token_offset(std::uint64_t offset) noexcept { token_offset_ = offset; }

 private:
  const std::byte* window_ = nullptr;
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  std::uint64_t base_offset_ = 0;  // stream offset of window_[0]
  std::uint64_t token_offset_ = 0;
  std::array<std::byte, token_bytes_max> held_{};  // of a token that straddles windows
  std::size_t held_size_ = 0;
};

}  // namespace sluice::rdb
