#include "rdb/lzf.h"

#include <gtest/gtest.h>

#include <optional>

#include "recorder.h"

namespace sluice::rdb {
namespace {

using testing::bytes;
using testing::from_hex;

/// What `hex` expands to, when it expands to exactly `size` bytes.
std::optional<std::string> expand(std::string_view hex, std::size_t size) {
  const std::string in = from_hex(hex);
  std::string out(size, '?');
  const bool sound = lzf_decompress(bytes(in), std::as_writable_bytes(std::span(out)));
  EXPECT_EQ(lzf_measure(bytes(in)) == size, sound) << hex;
  if (!sound) return std::nullopt;
  return out;
}

TEST(Lzf, ExpandsLiteralsAndMatches) {
  EXPECT_EQ(expand("00 61 E0 10 00", 26), std::string(26, 'a'));
  EXPECT_EQ(expand("02 'abc'", 3), "abc");
  EXPECT_EQ(expand("02 'abc' 20 02", 6), "abcabc");                  // short match, 3 bytes back
  EXPECT_EQ(expand("02 'abc' 60 01", 8), "abcbcbcb");                // overlaps itself
  EXPECT_EQ(expand("00 'a' E0 FF 00", 265), std::string(265, 'a'));  // the longest match
  EXPECT_EQ(expand("", 0), "");
}

TEST(Lzf, ReachesBackAsFarAs8192) {
  std::string hex = "00 'a'";
  for (int i = 0; i < 31; ++i) hex += " E0 FF 00";  // 264 each
  hex += " 20 00 20 00 20 00";                      // 8194 bytes so far
  const auto out = expand(hex + " 3F FF", 1 + 31 * 264 + 9 + 3);
  EXPECT_EQ(out, std::string(1 + 31 * 264 + 9 + 3, 'a'));
}

TEST(Lzf, RefusesToRunPastTheInput) {
  EXPECT_EQ(expand("02 'ab'", 3), std::nullopt);
  EXPECT_EQ(expand("00", 1), std::nullopt);
  EXPECT_EQ(expand("00 'a' 20", 4), std::nullopt);   // no distance
  EXPECT_EQ(expand("00 'a' E0", 10), std::nullopt);  // no length
  EXPECT_EQ(expand("00 'a' E0 00", 10), std::nullopt);
}

TEST(Lzf, RefusesToRunPastTheOutput) {
  EXPECT_EQ(expand("02 'abc'", 2), std::nullopt);
  EXPECT_EQ(expand("00 'a' E0 10 00", 25), std::nullopt);
  EXPECT_EQ(expand("00 'a'", 0), std::nullopt);
}

TEST(Lzf, RefusesAMatchBeforeTheStart) {
  EXPECT_EQ(expand("20 00", 3), std::nullopt);
  EXPECT_EQ(expand("00 'a' 20 01", 4), std::nullopt);
  EXPECT_EQ(expand("00 'a' 3F FF", 4), std::nullopt);
}

TEST(Lzf, RefusesAnotherFinalSize) {
  EXPECT_EQ(expand("02 'abc'", 4), std::nullopt);
  EXPECT_EQ(expand("", 1), std::nullopt);
}

TEST(Lzf, MeasuresWithoutExpanding) {
  EXPECT_EQ(lzf_measure(bytes(from_hex(""))), 0u);
  EXPECT_EQ(lzf_measure(bytes(from_hex("02 'abc' 60 01"))), 8u);
  EXPECT_EQ(lzf_measure(bytes(from_hex("00 'a' E0 FF 00"))), 265u);
  EXPECT_EQ(lzf_measure(bytes(from_hex("00 'a' E0 FF"))), std::nullopt);
  EXPECT_EQ(lzf_measure(bytes(from_hex("02 'ab'"))), std::nullopt);
  EXPECT_EQ(lzf_measure(bytes(from_hex("00 'a' 20 01"))), std::nullopt);
}

// Every output byte is paid for by the input: lzf_expansion_max.
TEST(Lzf, NoInputExpandsFurtherThanTheBound) {
  const std::size_t steps = 1000;
  std::string hex = "00 'a'";
  for (std::size_t i = 0; i < steps; ++i) hex += " E0 FF 00";
  const std::size_t plain = 1 + steps * 264;
  EXPECT_TRUE(expand(hex, plain).has_value());
  EXPECT_LE(plain, lzf_expansion_max * (2 + 3 * steps));
}

}  // namespace
}  // namespace sluice::rdb
