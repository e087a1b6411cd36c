#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/format.h"

namespace sluice::storage {

/// XXH3-64, no seed.
[[nodiscard]] std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept;
/// XXH3-128, no seed, canonical order.
[[nodiscard]] format::Digest xxh3_128(std::span<const std::byte> bytes) noexcept;

/// XXH3-128 of bytes that come in pieces.
class DigestStream {
 public:
  DigestStream();
  DigestStream(DigestStream&&) noexcept;
  DigestStream& operator=(DigestStream&&) noexcept;
  ~DigestStream();

  void update(std::span<const std::byte> bytes) noexcept;
  /// Of all bytes so far; more may follow.
  [[nodiscard]] format::Digest digest() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Lower-case hex, two digits a byte, in order.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);
/// Fills `into`; false unless `hex` is exactly its lower-case hex.
[[nodiscard]] bool from_hex(std::string_view hex, std::span<std::byte> into) noexcept;

}  // namespace sluice::storage
