#include "rdb/crc64.h"

#include <gtest/gtest.h>

#include <random>

#include "recorder.h"

namespace sluice::rdb {
namespace {

using testing::bytes;

TEST(Crc64, CheckValue) {
  EXPECT_EQ(crc64(0, bytes("123456789")), 0xE9C6D914C4B8D9CA);
  EXPECT_EQ(crc64_by_table(0, bytes("123456789")), 0xE9C6D914C4B8D9CA);
  EXPECT_EQ(crc64(0, bytes(std::string_view("\x01", 1))), 0x7AD870C830358979);
  EXPECT_EQ(crc64(0, bytes("\xff")), 0x29B7D047EFEC8728);
  EXPECT_EQ(crc64(7, {}), 7u);
}

TEST(Crc64, BothWaysAgreeAtAnyLengthAlignmentAndStart) {
  std::mt19937_64 random(1);
  std::string text(5000, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  for (std::size_t size = 0; size < 700; ++size) {
    const auto span = bytes(text).subspan(random() % 64, size);
    const std::uint64_t start = random();
    ASSERT_EQ(crc64(start, span), crc64_by_table(start, span)) << size << " bytes";
  }
  for (int round = 0; round < 2000; ++round) {
    const std::size_t from = random() % 1000;
    const auto span = bytes(text).subspan(from, random() % (text.size() - from));
    const std::uint64_t start = random();
    ASSERT_EQ(crc64(start, span), crc64_by_table(start, span)) << span.size() << " bytes";
  }
}

TEST(Crc64, GoesOnFromAnyCut) {
  const std::string text(1000, 'x');
  const std::uint64_t whole = crc64(0, bytes(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ASSERT_EQ(crc64(crc64(0, bytes(text).first(cut)), bytes(text).subspan(cut)), whole) << cut;
  }
}

}  // namespace
}  // namespace sluice::rdb
