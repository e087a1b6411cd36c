#include "storage/delta.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "storage/checksum.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::array<std::byte, 16> base_identity{std::byte{7}};

/// Random runs of `base`, forth and back, and random bytes between them.
Bytes random_edit(const Bytes& base, std::mt19937_64& random, DeltaOps& ops) {
  Bytes result;
  ops.clear();
  for (std::uint64_t i = random() % 20; i > 0; --i) {
    if (!base.empty() && random() % 3 > 0) {
      const auto from = static_cast<std::uint32_t>(random() % base.size());
      const auto size = static_cast<std::uint32_t>(random() % (base.size() - from + 1));
      ops.copy(from, size);
      result.insert(result.end(), base.begin() + from, base.begin() + from + size);
    }
    const auto literal = random_bytes(random() % 3 == 0 ? random() % 300 : 0, random());
    ops.literal(literal);
    result.insert(result.end(), literal.begin(), literal.end());
  }
  return result;
}

TEST(Delta, MakesOfItsBaseWhatItWasMadeFor) {
  std::mt19937_64 random(1);
  DeltaOps ops;
  Bytes text;
  for (int round = 0; round < 2000; ++round) {
    const Bytes base = random_bytes(random() % 5000, random());
    const Bytes result = random_edit(base, random, ops);
    EXPECT_EQ(ops.result_bytes(), result.size());
    write_delta(base_identity, static_cast<std::uint32_t>(base.size()), ops, result, text);
    const auto facts = read_delta_facts(text, "here");
    ASSERT_OK(facts);
    EXPECT_EQ(facts->base, base_identity);
    EXPECT_EQ(facts->base_bytes, base.size());
    EXPECT_EQ(facts->result_bytes, result.size());
    EXPECT_EQ(facts->result_digest, xxh3_128(result));
    Bytes made(result.size() + 10);
    const auto filled = apply_delta(text, base, made, "here");
    ASSERT_OK(filled);
    EXPECT_TRUE(std::ranges::equal(*filled, result));
  }
}

TEST(Delta, JoinsRunsThatFollowOneAnother) {
  DeltaOps ops;
  ops.copy(5, 10);
  ops.copy(15, 3);
  ops.copy(0, 0);
  ops.literal(bytes_of("ab"));
  ops.literal(bytes_of("c"));
  ops.copy(18, 2);
  ASSERT_EQ(ops.ops().size(), 2u);
  EXPECT_EQ(ops.ops()[0], (DeltaOps::Op{.copy_from = 5, .copy_bytes = 13, .literal_bytes = 3}));
}

TEST(Delta, EveryFlippedBitAndEveryCutIsRefusedOrChangesOnlyWhatItIsAgainst) {
  const Bytes base = random_bytes(400, 1);
  std::mt19937_64 random(3);
  DeltaOps ops;
  const Bytes result = random_edit(base, random, ops);
  Bytes text;
  write_delta(base_identity, 400, ops, result, text);
  Bytes made(result.size());
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    auto bad = text;
    bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const auto filled = apply_delta(bad, base, made, "here");
    if (bit / 8 < 16) {  // the identity of the base is for the caller to compare
      EXPECT_OK(filled);
    } else {
      EXPECT_FALSE(filled) << bit;
    }
  }
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(apply_delta(std::span(text).first(size), base, made, "here")) << size;
}

TEST(Delta, HostileTextsNeverLeaveTheirBuffers) {
  const Bytes base = random_bytes(300, 1);
  Bytes made(300);
  std::mt19937_64 random(5);
  for (int round = 0; round < 20'000; ++round) {
    Bytes text = random_bytes(48 + random() % 100, random());
    format::DeltaHeader header;
    header.base_bytes = 300;
    header.result_bytes = static_cast<std::uint32_t>(random() % 301);
    header.op_count = static_cast<std::uint32_t>(random() % 20);
    header.ops_bytes = static_cast<std::uint32_t>(random() % (text.size() - 47));
    std::memcpy(text.data(), &header, sizeof header);
    for (std::size_t i = 48; i < text.size(); ++i) {  // small numbers get further
      if (random() % 2 == 0) text[i] &= std::byte{0x1f};
    }
    EXPECT_FALSE(apply_delta(text, base, made, "here"));
  }
}

TEST(Delta, RefusesSizesBeforeMemoryIsTakenForThem) {
  format::DeltaHeader header;
  Bytes text(sizeof header);
  const auto verdict = [&] {
    std::memcpy(text.data(), &header, sizeof header);
    return read_delta_facts(text, "here").error().code;
  };
  header.result_bytes = format::chunk_raw_bytes_max + 1;
  EXPECT_EQ(verdict(), Errc::limit_exceeded);
  header = {.base_bytes = UINT32_MAX};
  EXPECT_EQ(verdict(), Errc::limit_exceeded);
  header = {.ops_bytes = 1};
  EXPECT_EQ(verdict(), Errc::truncated);
  text.resize(47);
  EXPECT_EQ(read_delta_facts(text, "here").error().code, Errc::truncated);
}

}  // namespace
}  // namespace sluice::storage
