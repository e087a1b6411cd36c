#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::storage {

/// Overwrites memory in a way that no compiler leaves out.
void wipe(std::span<std::byte> bytes) noexcept;

/// Bytes of a fixed number that are wiped when they go: keys. There is no way to print them.
template <std::size_t Size>
class SecretArray {
 public:
  SecretArray() = default;
  explicit SecretArray(const std::array<std::byte, Size>& bytes) noexcept : bytes_(bytes) {}
  SecretArray(const SecretArray&) = default;
  SecretArray& operator=(const SecretArray&) = default;
  ~SecretArray() { wipe(bytes_); }

  [[nodiscard]] std::byte* data() noexcept { return bytes_.data(); }
  [[nodiscard]] const std::byte* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] static constexpr std::size_t size() noexcept { return Size; }
  [[nodiscard]] std::byte* begin() noexcept { return bytes_.data(); }
  [[nodiscard]] std::byte* end() noexcept { return bytes_.data() + Size; }
  [[nodiscard]] const std::byte* begin() const noexcept { return bytes_.data(); }
  [[nodiscard]] const std::byte* end() const noexcept { return bytes_.data() + Size; }

  [[nodiscard]] std::byte& operator[](std::size_t i) noexcept { return bytes_[i]; }

  friend bool operator==(const SecretArray&, const SecretArray&) = default;

 private:
  std::array<std::byte, Size> bytes_{};
};

/// 256 bits: a key of AES-256, or of HMAC-SHA-256.
using SecretKey = SecretArray<32>;

/// Any number of such bytes: a passphrase, or what a key file holds. Moves, does not copy.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::span<const std::byte> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  explicit SecretBytes(std::string_view text) : SecretBytes(std::as_bytes(std::span(text))) {}
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::move(other.bytes_)) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_); }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace sluice::storage
