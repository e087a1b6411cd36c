#include "rdb/lzf_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "recorder.h"

namespace sluice::rdb {
namespace {

using testing::bytes;
using testing::from_hex;

/// Feeds `in` in parts that end at `cuts` (ascending) to a stream and a measure, which must agree.
/// What it expands to, when that is exactly `size` bytes.
std::optional<std::string> stream(LzfStream& stream, std::string_view in, std::uint64_t size,
                                  std::vector<std::size_t> cuts = {}) {
  LzfMeasure measure;
  stream.begin(in.size(), size);
  measure.begin(in.size(), size);
  std::string out;
  std::size_t from = 0;
  cuts.push_back(in.size());
  for (const std::size_t cut : cuts) {
    auto part = bytes(in.substr(from, cut - from));
    auto measured = part;
    from = cut;
    while (!part.empty() && !stream.done() && !stream.malformed()) {
      const auto before = part.size();
      const auto piece = stream.next(part);
      EXPECT_TRUE(stream.malformed() || part.size() < before);
      out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    EXPECT_EQ(measure.feed(measured), !stream.malformed());
    EXPECT_EQ(measure.malformed(), stream.malformed());
    EXPECT_EQ(measure.done(), stream.done());
    if (stream.malformed()) return std::nullopt;
  }
  if (!stream.done()) return std::nullopt;
  return out;
}

std::optional<std::string> at_once(std::string_view in, std::size_t size) {
  std::string out(size, '?');
  if (!lzf_decompress(bytes(in), std::as_writable_bytes(std::span(out)))) return std::nullopt;
  return out;
}

/// Whole, byte by byte and in two at every byte; the outcome must be that of lzf_decompress().
void expect_the_same_at_every_split(const std::string& in, std::size_t size) {
  const auto expected = at_once(in, size);
  LzfStream reused;
  std::vector<std::size_t> every(in.size());
  for (std::size_t at = 0; at < every.size(); ++at) every[at] = at;
  ASSERT_EQ(stream(reused, in, size), expected);
  ASSERT_EQ(stream(reused, in, size, every), expected);
  for (const std::size_t cut : every) {
    ASSERT_EQ(stream(reused, in, size, {cut}), expected) << "cut at byte " << cut;
  }
}

/// Elements that refer back as far as they may, and what they expand to.
std::string random_elements(std::mt19937_64& random, std::size_t count, std::uint64_t& plain) {
  std::string in;
  plain = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (plain == 0 || random() % 3 == 0) {
      const std::uint64_t run = random() % 32 + 1;
      in += static_cast<char>(run - 1);
      for (std::uint64_t literal = 0; literal < run; ++literal) in += static_cast<char>(random());
      plain += run;
      continue;
    }
    const std::uint64_t reach = random() % 2 == 0 ? 40 : 8192;
    const std::uint64_t distance = random() % std::min(plain, reach);
    const std::uint64_t length = random() % 4 == 0 ? random() % 262 + 1 : random() % 8 + 1;
    in += static_cast<char>(std::min<std::uint64_t>(length, 7) << 5 | distance >> 8);
    if (length >= 7) in += static_cast<char>(length - 7);
    in += static_cast<char>(distance);
    plain += length + 2;
  }
  return in;
}

TEST(LzfStream, GivesTheSameBytesForEverySplit) {
  expect_the_same_at_every_split(from_hex("00 61 E0 10 00"), 26);
  expect_the_same_at_every_split(from_hex("02 'abc' 20 02 60 01"), 11);
  expect_the_same_at_every_split(from_hex("00 'a' E0 FF 00 1F") + std::string(32, 'b'), 297);
  expect_the_same_at_every_split("", 0);
  std::mt19937_64 random(1);
  for (int round = 0; round < 30; ++round) {
    std::uint64_t plain;
    const std::string in = random_elements(random, 40, plain);
    expect_the_same_at_every_split(in, plain);
  }
}

TEST(LzfStream, RefusesWhatOneShotRefusesForEverySplit) {
  for (const char* hex : {"02 'ab'", "00", "00 'a' 20", "00 'a' E0", "00 'a' E0 00", "20 00",
                          "00 'a' 20 01", "00 'a' 3F FF", "02 'abc' 02 'ab'"}) {
    for (std::size_t size = 0; size < 12; ++size) {
      SCOPED_TRACE(hex + (" to " + std::to_string(size)));
      expect_the_same_at_every_split(from_hex(hex), size);
    }
  }
  for (const std::size_t size : {0, 1, 4, 7, 9, 264}) {
    expect_the_same_at_every_split(from_hex("02 'abc' 60 01"), size);
  }
  expect_the_same_at_every_split("", 1);
}

TEST(LzfStream, AgreesWithOneShotOnLongStringsInAnyParts) {
  std::mt19937_64 random(2);
  LzfStream reused;
  for (int round = 0; round < 60; ++round) {
    std::uint64_t plain;
    const std::string in = random_elements(random, 6000, plain);
    std::vector<std::size_t> cuts;
    const std::size_t step = round % 3 == 0 ? 7 : round % 3 == 1 ? 3000 : 100'000;
    for (std::size_t at = 0; at < in.size(); at += random() % step + 1) cuts.push_back(at);
    ASSERT_EQ(stream(reused, in, plain, cuts), at_once(in, plain)) << "round " << round;
    EXPECT_EQ(lzf_measure(bytes(in)), plain);
    EXPECT_EQ(stream(reused, in, plain + 1, cuts), std::nullopt);
    EXPECT_EQ(stream(reused, in, plain - 1, cuts), std::nullopt);
  }
}

TEST(LzfStream, AnyByteFlippedIsReadAlike) {
  std::mt19937_64 random(3);
  LzfStream reused;
  for (int round = 0; round < 3000; ++round) {
    std::uint64_t plain;
    std::string in = random_elements(random, 20, plain);
    in[random() % in.size()] ^= static_cast<char>(1 << random() % 8);
    const std::uint64_t size = lzf_measure(bytes(in)).value_or(plain);
    const std::vector cuts{random() % in.size()};
    ASSERT_EQ(stream(reused, in, size, cuts), at_once(in, size)) << "round " << round;
  }
}

TEST(LzfStream, ReachesBackAsFarAs8192AcrossPieces) {
  std::string in;
  std::string plain;
  for (int block = 0; plain.size() < 8192; ++block) {
    const std::string run = std::to_string(100'000'000 + block) + std::string(23, 'x');
    in += '\x1f' + run;
    plain += run;
  }
  for (int match = 0; match < 400; ++match) {  // over and over the same 8192 bytes
    in += from_hex("FF FF FF");
    for (int i = 0; i < 264; ++i) plain += plain[plain.size() - 8192];
  }
  LzfStream reused;
  EXPECT_EQ(stream(reused, in, plain.size()), plain);
  EXPECT_EQ(stream(reused, in, plain.size(), {5000, 8460, 8461, 8462, 9000}), plain);
}

TEST(LzfStream, TakesNothingPastTheEndOfItsString) {
  const std::string in = from_hex("02 'abc' 20 02 'rest'");
  LzfStream stream;
  stream.begin(6, 6);
  auto left = bytes(in);
  EXPECT_EQ(stream.next(left).size(), 6u);
  EXPECT_TRUE(stream.done());
  EXPECT_EQ(left.size(), 4u);
  EXPECT_TRUE(stream.next(left).empty());
  EXPECT_EQ(left.size(), 4u);

  LzfMeasure measure;
  measure.begin(6, 6);
  left = bytes(in);
  EXPECT_TRUE(measure.feed(left));
  EXPECT_TRUE(measure.done());
  EXPECT_EQ(left.size(), 4u);
}

TEST(LzfStream, BeginsAnewInTheMidstOfAString) {
  const std::string in = from_hex("02 'abc' 20 02");
  LzfStream stream;
  for (std::size_t size = 0; size < in.size(); ++size) {
    auto cut = bytes(in).first(size);
    stream.begin(6, 6);
    (void)stream.next(cut);
    EXPECT_FALSE(stream.done());
    stream.begin(6, 6);
    auto whole = bytes(in);
    EXPECT_EQ(stream.next(whole).size(), 6u);
    EXPECT_TRUE(stream.done());
  }
  // The history is that of this string, not of the one before.
  const std::string match = from_hex("20 02");
  auto left = bytes(match);
  stream.begin(2, 3);
  EXPECT_TRUE(stream.next(left).empty());
  EXPECT_TRUE(stream.malformed());
}

TEST(LzfStream, HugeSizesCostNothingUntilBytesCome) {
  const std::string in = from_hex("00 'a'");
  LzfStream stream;
  stream.begin(UINT64_MAX, UINT64_MAX);
  auto left = bytes(in);
  EXPECT_EQ(stream.next(left).size(), 1u);
  EXPECT_FALSE(stream.done());
  EXPECT_FALSE(stream.malformed());
}

}  // namespace
}  // namespace sluice::rdb
