#include "rdb/lzf_compressor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "rdb/lzf.h"
#include "recorder.h"

namespace sluice::rdb {
namespace {

using testing::bytes;
using testing::from_hex;
using testing::to_hex;

std::span<std::byte> room(std::string& out) { return std::as_writable_bytes(std::span(out)); }

/// `in` compressed, in as much room as it may take.
std::string compressed(LzfCompressor& compressor, std::string_view in) {
  std::string out(in.size() + in.size() / 32 + 1, '?');
  out.resize(compressor.compress(bytes(in), room(out)));
  return out;
}

std::string expanded(std::string_view in, std::size_t size) {
  std::string out(size, '?');
  return lzf_decompress(bytes(in), room(out)) ? out : "malformed";
}

/// Text of a few letters, runs and repeated pieces, up to `size_max` bytes.
std::string random_text(std::mt19937_64& random, std::size_t size_max) {
  std::string text;
  const std::size_t size = random() % (size_max + 1);
  const unsigned letters = 1U << random() % 9;
  while (text.size() < size) {
    if (text.empty() || random() % 2 == 0) {
      for (auto left = random() % 40; left > 0; --left) {
        text += static_cast<char>(random() % letters);
      }
      continue;
    }
    const std::size_t from = random() % text.size();
    for (std::size_t i = 0, length = random() % 400; i < length; ++i) text += text[from + i];
  }
  text.resize(size);
  return text;
}

TEST(LzfCompressor, WritesRunsAndMatches) {
  LzfCompressor compressor;
  const auto hex = [&](std::string_view in) { return to_hex(bytes(compressed(compressor, in))); };
  EXPECT_EQ(hex("abc"), to_hex(bytes(from_hex("02 'abc'"))));
  EXPECT_EQ(hex("abcabc"), to_hex(bytes(from_hex("02 'abc' 20 02"))));
  EXPECT_EQ(hex(std::string(26, 'a')), to_hex(bytes(from_hex("00 'a' E0 10 00"))));
  EXPECT_EQ(hex(std::string(265, 'a')), to_hex(bytes(from_hex("00 'a' E0 FF 00"))));
  EXPECT_EQ(hex(std::string(267, 'a')), to_hex(bytes(from_hex("00 'a' E0 FF 00 01 'aa'"))));
  EXPECT_EQ(hex("abcdefghijklmnopqrstuvwxyz0123456789"),
            to_hex(bytes(from_hex("1F 'abcdefghijklmnopqrstuvwxyz012345' 03 '6789'"))));
  EXPECT_EQ(hex(""), "");
}

TEST(LzfCompressor, ReachesBack8192AndNoFurther) {
  LzfCompressor compressor;
  for (const std::size_t distance : {8190, 8191, 8192, 8193, 8194}) {
    const std::string in = "needle" + std::string(distance - 6, 'x') + "needle";
    const std::string out = compressed(compressor, in);
    EXPECT_EQ(expanded(out, in.size()), in);
    EXPECT_EQ(out.ends_with("needle"), distance > 8192) << distance;
  }
}

TEST(LzfCompressor, WhatItWritesExpandsToTheSame) {
  std::mt19937_64 random(1);
  LzfCompressor compressor;
  for (int round = 0; round < 20'000; ++round) {
    const std::string in = random_text(random, round % 100 == 0 ? 60'000 : 300);
    const std::string out = compressed(compressor, in);
    ASSERT_EQ(out.empty(), in.empty());
    ASSERT_EQ(expanded(out, in.size()), in) << "round " << round;
    ASSERT_EQ(lzf_measure(bytes(out)), in.size());
  }
}

TEST(LzfCompressor, StaysWithinItsRoom) {
  std::mt19937_64 random(2);
  LzfCompressor compressor;
  for (int round = 0; round < 200; ++round) {
    const std::string in = random_text(random, 200) + 'x';
    const std::string whole = compressed(compressor, in);
    for (std::size_t size = 0; size <= whole.size() + 2; ++size) {
      std::string out(size, '?');
      const std::size_t written = compressor.compress(bytes(in), room(out));
      ASSERT_EQ(written, size < whole.size() ? 0 : whole.size());
      ASSERT_TRUE(written == 0 || out.starts_with(whole));
    }
  }
}

// What a compressor has seen before must not show in what it writes.
TEST(LzfCompressor, DependsOnItsInputOnly) {
  std::mt19937_64 random(3);
  LzfCompressor used;
  for (int round = 0; round < 300; ++round) {
    const std::string in = random_text(random, 2000);
    LzfCompressor fresh;
    ASSERT_EQ(compressed(used, in), compressed(fresh, in)) << "round " << round;
  }
}

// The numbering of the bytes begins again after 4 GiB.
TEST(LzfCompressor, GoesOnAfterFourGiB) {
  std::mt19937_64 random(4);
  const std::string big(64 << 20, 'x');
  const std::string text = random_text(random, 2000);
  LzfCompressor used;
  LzfCompressor fresh;
  const std::string expected = compressed(fresh, text);
  std::string out(1 << 20, '?');
  for (int round = 0; round < 70; ++round) {
    const std::size_t size = used.compress(bytes(big), room(out));
    ASSERT_GT(size, 0u);
    ASSERT_EQ(compressed(used, text), expected) << "round " << round;
  }
}

TEST(LzfCompressor, RefusesWhatItCannotNumber) {
  // Never read: the size alone is refused.
  const std::byte byte{};
  LzfCompressor compressor;
  std::string out(100, '?');
  const std::span<const std::byte> huge(&byte, LzfCompressor::in_bytes_max + 1);
  EXPECT_EQ(compressor.compress(huge, room(out)), 0u);
}

}  // namespace
}  // namespace sluice::rdb
