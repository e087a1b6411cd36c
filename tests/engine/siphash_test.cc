#include "engine/siphash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace sluice::engine {
namespace {

// The vectors of the reference implementation (vectors.h, SipHash-2-4, 64 bits) as numbers: key
// 00 01 … 0f, texts of 0, 1, 2 … bytes 00 01 02 …
TEST(Siphash, GivesTheReferenceVectors) {
  constexpr std::array<std::uint64_t, 16> expected{
      0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
      0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
      0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
      0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
  CutKey key{};
  std::vector<std::byte> text(expected.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    key[i] = static_cast<std::byte>(i);
    text[i] = static_cast<std::byte>(i);
  }
  for (std::size_t size = 0; size < expected.size(); ++size) {
    EXPECT_EQ(siphash(key, std::span(text).first(size)), expected[size]) << size;
  }
}

}  // namespace
}  // namespace sluice::engine
