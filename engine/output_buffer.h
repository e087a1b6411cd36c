#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace sluice::engine {

/// Bytes on their way out, gathered so that whoever takes them gets few and large pieces.
///
/// Memory:  `capacity_bytes`, room_max at least.
/// Errors:  sticky. Once the drain has refused, what is appended is dropped; ask ok() now and then.
/// Threads: none; one at a time.
class OutputBuffer {
 public:
  /// Takes all of the bytes, or returns false and knows why.
  using Drain = std::function<bool(std::span<const std::byte>)>;

  static constexpr std::size_t room_max = 64 << 10;

  OutputBuffer(std::size_t capacity_bytes, Drain drain)
      : drain_(std::move(drain)),
        capacity_(std::max(capacity_bytes, room_max)),
        bytes_(std::make_unique_for_overwrite<char[]>(capacity_)),
        at_(bytes_.get()) {}

  /// Room for `size` bytes, at most room_max, to be filled in from the front; then advance().
  [[nodiscard]] char* room(std::size_t size) {
    if (free() < size) flush();
    return at_;
  }
  void advance(char* to) noexcept { at_ = to; }

  void append(std::string_view text) { append(std::as_bytes(std::span(text))); }
  void append(std::span<const std::byte> bytes) {
    if (bytes.size() > room_max) {
      flush();
      hand_on(bytes);
      return;
    }
    char* const to = room(bytes.size());
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    at_ = to + bytes.size();
  }
  void append(char letter) {
    char* const to = room(1);
    *to = letter;
    at_ = to + 1;
  }
  template <class Number>
  void append_number(Number number) {
    constexpr std::size_t number_bytes_max = 32;
    char* const to = room(number_bytes_max);
    at_ = std::to_chars(to, to + number_bytes_max, number).ptr;
  }

  /// Hands on what is there.
  void flush() {
    if (at_ == bytes_.get()) return;
    const std::span<const char> all(bytes_.get(), at_);
    at_ = bytes_.get();
    hand_on(std::as_bytes(all));
  }

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  /// Bytes appended so far.
  [[nodiscard]] std::uint64_t size() const noexcept {
    return handed_on_ + static_cast<std::uint64_t>(at_ - bytes_.get());
  }

 private:
  [[nodiscard]] std::size_t free() const noexcept {
    return capacity_ - static_cast<std::size_t>(at_ - bytes_.get());
  }
  void hand_on(std::span<const std::byte> bytes) {
    handed_on_ += bytes.size();
    ok_ = ok_ && drain_(bytes);
  }

  Drain drain_;
  std::size_t capacity_;
  std::unique_ptr<char[]> bytes_;
  char* at_;
  std::uint64_t handed_on_ = 0;
  bool ok_ = true;
};

}  // namespace sluice::engine
