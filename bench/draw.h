#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

// What looks like chance and follows from a seed, the same on every machine.

namespace sluice::bench {

/// splitmix64: its next number from any state is good.
inline constexpr std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

/// Numbers and texts that follow from a seed.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(mixed(seed)) {}

  std::uint64_t number() { return mixed(state_++); }

  std::string text(std::size_t size) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out(size, '\0');
    for (std::size_t at = 0; at < size; at += 16) {
      std::uint64_t bits = number();
      for (std::size_t i = at; i < std::min(size, at + 16); ++i, bits >>= 4) {
        out[i] = digits[bits & 15];
      }
    }
    return out;
  }

 private:
  std::uint64_t state_;
};

/// A bijection of the numbers below `count`: a Feistel network, walked until it ends below.
class Permutation {
 public:
  Permutation(std::uint64_t count, std::uint64_t seed)
      : count_(count), half_bits_(half_bits(count)), seed_(mixed(seed)) {}

  [[nodiscard]] std::uint64_t at(std::uint64_t number) const {
    do {
      number = once(number);
    } while (number >= count_);
    return number;
  }

 private:
  static int half_bits(std::uint64_t count) {
    return static_cast<int>(std::bit_width(count) + 1) / 2;
  }
  [[nodiscard]] std::uint64_t once(std::uint64_t number) const {
    const std::uint64_t mask = (1ULL << half_bits_) - 1;
    std::uint64_t left = number >> half_bits_;
    std::uint64_t right = number & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      left = std::exchange(right, left ^ (mixed(right ^ (seed_ + round)) & mask));
    }
    return left << half_bits_ | right;
  }

  std::uint64_t count_;
  int half_bits_;
  std::uint64_t seed_;
};

}  // namespace sluice::bench
