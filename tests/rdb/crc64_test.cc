#include "rdb/crc64.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "recorder.h"

namespace sluice::rdb {
namespace {

using testing::bytes;

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

std::string name_of(Crc64Variant variant) {
  switch (variant) {
    case Crc64Variant::table: return "table";
    case Crc64Variant::clmul128: return "clmul128";
    case Crc64Variant::clmul256: return "clmul256";
    case Crc64Variant::clmul512: return "clmul512";
  }
  return "unknown";
}

TEST(Crc64, CheckValue) {
  EXPECT_EQ(crc64(0, bytes("123456789")), 0xE9C6D914C4B8D9CA);
  EXPECT_EQ(crc64_by_table(0, bytes("123456789")), 0xE9C6D914C4B8D9CA);
  EXPECT_EQ(crc64(0, bytes(std::string_view("\x01", 1))), 0x7AD870C830358979);
  EXPECT_EQ(crc64(0, bytes("\xff")), 0x29B7D047EFEC8728);
  EXPECT_EQ(crc64(7, {}), 7u);
}

class Crc64VariantTest : public ::testing::TestWithParam<Crc64Variant> {
 protected:
  void SetUp() override {
    if (crc64_available(GetParam())) return;
    GTEST_SKIP() << "NOT TESTED: this CPU lacks the instructions of " << name_of(GetParam());
  }

  static std::uint64_t run(std::uint64_t crc, std::span<const std::byte> bytes) {
    return crc64_with(GetParam(), crc, bytes);
  }
};

INSTANTIATE_TEST_SUITE_P(Crc64, Crc64VariantTest,
                         ::testing::Values(Crc64Variant::table, Crc64Variant::clmul128,
                                           Crc64Variant::clmul256, Crc64Variant::clmul512),
                         [](const auto& variant) { return name_of(variant.param); });

TEST_P(Crc64VariantTest, CheckValue) {
  EXPECT_EQ(run(0, bytes("123456789")), 0xE9C6D914C4B8D9CA);
  EXPECT_EQ(run(7, {}), 7u);
}

TEST_P(Crc64VariantTest, AgreesWithTheTableAtAnyLengthAlignmentAndStart) {
  std::mt19937_64 random(1);
  const std::string text = random_bytes(random, 5000);
  for (std::size_t size = 0; size <= 1100; ++size) {
    for (int round = 0; round < 4; ++round) {
      const auto span = bytes(text).subspan(random() % 64, size);
      const std::uint64_t start = round == 0 ? 0 : random();
      ASSERT_EQ(run(start, span), crc64_by_table(start, span)) << size << " bytes";
    }
  }
  for (int round = 0; round < 2000; ++round) {
    const std::size_t from = random() % 1000;
    const auto span = bytes(text).subspan(from, random() % (text.size() - from));
    const std::uint64_t start = random();
    ASSERT_EQ(run(start, span), crc64_by_table(start, span)) << span.size() << " bytes";
  }
}

// The buffer is its own allocation: a read past either end is a fault under ASan.
TEST_P(Crc64VariantTest, ReadsItsBytesOnly) {
  std::mt19937_64 random(2);
  for (std::size_t size = 0; size <= 700; ++size) {
    const std::string text = random_bytes(random, size);
    const std::vector<char> exact(text.begin(), text.end());
    ASSERT_EQ(run(1, std::as_bytes(std::span(exact))), crc64_by_table(1, bytes(text)));
  }
}

TEST_P(Crc64VariantTest, GoesOnFromAnyCut) {
  std::mt19937_64 random(3);
  const std::string text = random_bytes(random, 1000);
  const std::uint64_t whole = crc64_by_table(0, bytes(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ASSERT_EQ(run(run(0, bytes(text).first(cut)), bytes(text).subspan(cut)), whole) << cut;
  }
}

TEST(Crc64Combine, IsTheValueOfBothPartsAtEveryCut) {
  std::mt19937_64 random(4);
  const std::string text = random_bytes(random, 1000);
  const std::uint64_t start = random();
  const std::uint64_t whole = crc64(start, bytes(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::uint64_t a = crc64(start, bytes(text).first(cut));
    const std::uint64_t b = crc64(0, bytes(text).subspan(cut));
    ASSERT_EQ(crc64_combine(a, b, text.size() - cut), whole) << cut;
  }
}

TEST(Crc64Combine, OfNothingIsTheOther) {
  EXPECT_EQ(crc64_combine(5, 0, 0), 5u);
  EXPECT_EQ(crc64_combine(0, 5, 1000), 5u);
}

// Zeros leave the value of nothing at 0, so what they do to another is all that combine computes.
TEST(Crc64Combine, GoesPastFourGiB) {
  const std::string zeros(1 << 20, '\0');
  std::uint64_t direct = 0x123456789ABCDEF;
  for (std::uint64_t mib = 0; mib < (4 << 10) + 3; ++mib) direct = crc64(direct, bytes(zeros));
  const std::uint64_t size = (4ULL << 30) + (3 << 20);
  EXPECT_EQ(crc64_combine(0x123456789ABCDEF, 0, size), direct);
  EXPECT_EQ(crc64_combine(0x123456789ABCDEF, 77, size), direct ^ 77);
}

TEST(Crc64Combine, DoesNotDependOnTheOrderOfCombining) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 1000; ++round) {
    const std::uint64_t a = random();
    const std::uint64_t b = random();
    const std::uint64_t c = random();
    const std::uint64_t bytes_b = random() >> (1 + random() % 63);
    const std::uint64_t bytes_c = random() >> (1 + random() % 63);
    const std::uint64_t left = crc64_combine(crc64_combine(a, b, bytes_b), c, bytes_c);
    const std::uint64_t right = crc64_combine(a, crc64_combine(b, c, bytes_c), bytes_b + bytes_c);
    ASSERT_EQ(left, right) << bytes_b << " and " << bytes_c << " bytes";
  }
}

}  // namespace
}  // namespace sluice::rdb
