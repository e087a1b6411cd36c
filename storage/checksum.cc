#include "storage/checksum.h"

#include <xxhash.h>

#include <cstring>
#include <new>

namespace sluice::storage {
namespace {

format::Digest canonical(XXH128_hash_t hash) noexcept {
  XXH128_canonical_t text;
  XXH128_canonicalFromHash(&text, hash);
  format::Digest digest{};
  std::memcpy(digest.data(), text.digest, digest.size());
  return digest;
}

int hex_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

format::Digest xxh3_128(std::span<const std::byte> bytes) noexcept {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

struct DigestStream::State {
  XXH3_state_t* hash = XXH3_createState();
  State() {
    if (hash == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(hash);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { XXH3_freeState(hash); }
};

DigestStream::DigestStream() : state_(std::make_unique<State>()) {}
DigestStream::DigestStream(DigestStream&&) noexcept = default;
DigestStream& DigestStream::operator=(DigestStream&&) noexcept = default;
DigestStream::~DigestStream() = default;

void DigestStream::update(std::span<const std::byte> bytes) noexcept {
  XXH3_128bits_update(state_->hash, bytes.data(), bytes.size());
}

format::Digest DigestStream::digest() const noexcept {
  return canonical(XXH3_128bits_digest(state_->hash));
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    hex += digits[std::to_integer<std::size_t>(byte >> 4)];
    hex += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return hex;
}

bool from_hex(std::string_view hex, std::span<std::byte> into) noexcept {
  if (hex.size() != into.size() * 2) return false;
  for (std::size_t i = 0; i < into.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    into[i] = static_cast<std::byte>(high * 16 + low);
  }
  return true;
}

}  // namespace sluice::storage
