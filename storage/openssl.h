#pragma once

#include <cstddef>
#include <span>

/// What whoever calls OpenSSL needs.
namespace sluice::storage {

/// A deleter of what OpenSSL allocated.
template <auto Free>
struct Freed {
  void operator()(auto* object) const noexcept { Free(object); }
};

[[nodiscard]] inline const unsigned char* chars(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
[[nodiscard]] inline unsigned char* chars(std::span<std::byte> bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace sluice::storage
