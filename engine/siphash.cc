#include "engine/siphash.h"

#include <bit>
#include <cstring>

namespace sluice::engine {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void compress(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t siphash(const CutKey& key, std::span<const std::byte> text) noexcept {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
  std::memcpy(&k0, key.data(), sizeof k0);
  std::memcpy(&k1, key.data() + sizeof k0, sizeof k1);
  State state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
              k1 ^ 0x7465646279746573};
  const std::byte* at = text.data();
  for (std::size_t words = text.size() / 8; words > 0; --words, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    state.compress(word);
  }
  std::uint64_t last = static_cast<std::uint64_t>(text.size()) << 56;
  if (const std::size_t rest = text.size() % 8; rest > 0) std::memcpy(&last, at, rest);
  state.compress(last);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace sluice::engine
