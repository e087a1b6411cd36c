#include "engine/extent_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::engine {
namespace {

TEST(ExtentFile, ReadsListsFromTheirLastToTheirFirst) {
  ExtentFile file;
  std::vector<Extent> lists(3);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t list = 0; list < lists.size(); ++list) {
      const std::string text(1000 * list, static_cast<char>('a' + round));
      const std::vector<std::span<const std::byte>> parts(list, std::as_bytes(std::span(text)));
      const auto extent = file.write(lists[list], parts);
      ASSERT_TRUE(extent.has_value());
      EXPECT_EQ(extent->bytes, sizeof(ExtentFile::Head) + 1000 * list * list);
      lists[list] = *extent;
    }
  }
  for (std::size_t list = 0; list < lists.size(); ++list) {
    Extent extent = lists[list];
    for (int round = 9; round >= 0; --round) {
      std::vector<std::byte> bytes(extent.bytes);
      const auto before = file.read(extent, bytes);
      ASSERT_TRUE(before.has_value());
      EXPECT_EQ(std::vector(bytes.begin() + sizeof(ExtentFile::Head), bytes.end()),
                std::vector(1000 * list * list, static_cast<std::byte>('a' + round)));
      extent = *before;
    }
    EXPECT_EQ(extent.bytes, 0U);
  }
}

TEST(ExtentFile, SeesThatBytesAreNotThoseThatWereWritten) {
  ExtentFile file;
  const std::vector<std::byte> text(100'000, std::byte{'x'});
  const std::vector<std::span<const std::byte>> parts = {text};
  const auto extent = file.write({}, parts);
  ASSERT_TRUE(extent.has_value());
  std::vector<std::byte> bytes(extent->bytes);
  EXPECT_TRUE(file.read(*extent, bytes).has_value());
  file.discard({.at = 0, .bytes = 50'000});  // now there are zeros, if the file system can do it
  if (const auto peeked = file.peek(*extent, bytes); peeked && bytes[60] == std::byte{'x'}) {
    GTEST_SKIP() << "this file system cannot punch holes";
  }
  const auto read = file.read(*extent, bytes);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, "scratch_failed");
}

TEST(ExtentFile, DoesNotReadBehindItsEnd) {
  ExtentFile file;
  const auto extent = file.write({}, {});
  ASSERT_TRUE(extent.has_value());
  std::vector<std::byte> bytes(1000);
  EXPECT_FALSE(file.read({.at = 0, .bytes = 1000}, bytes).has_value());
}

}  // namespace
}  // namespace sluice::engine
