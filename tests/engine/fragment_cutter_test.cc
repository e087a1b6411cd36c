#include "engine/fragment_cutter.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "made_records.h"

namespace sluice::engine {
namespace {

constexpr std::size_t mib = 1 << 20;

CutKey key_of(int number) {
  CutKey key{};
  key[5] = static_cast<std::byte>(number);
  return key;
}

/// Bytes of each fragment, fed as many at a time as `next_piece` says.
template <class NextPiece>
std::vector<std::size_t> cut(FragmentCutter& cutter, std::string_view value, NextPiece next_piece) {
  std::vector<std::size_t> sizes{0};
  cutter.restart();
  while (!value.empty()) {
    auto part = bytes(value.substr(0, next_piece()));
    value.remove_prefix(part.size());
    while (!part.empty()) {
      const auto taken = cutter.feed(part);
      EXPECT_TRUE(taken.complete || taken.bytes == part.size());
      sizes.back() += taken.bytes;
      if (taken.complete) sizes.push_back(0);
      part = part.subspan(taken.bytes);
    }
  }
  if (sizes.back() == 0) sizes.pop_back();
  return sizes;
}

std::vector<std::size_t> cut(std::string_view value, const CutKey& key = key_of(1)) {
  FragmentCutter cutter(key);
  return cut(cutter, value, [&] { return value.size(); });
}

std::multiset<std::string> fragments(std::string_view value) {
  std::multiset<std::string> found;
  for (const std::size_t size : cut(value)) {
    found.emplace(value.substr(0, size));
    value.remove_prefix(size);
  }
  return found;
}

TEST(FragmentCutter, FragmentsHaveTheSizesThatArePromised) {
  Random random(1);
  const std::string value = random_text(random, 60 * mib);
  const auto sizes = cut(value);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    EXPECT_GE(sizes[i], FragmentCutter::min_bytes);
    EXPECT_LE(sizes[i], FragmentCutter::max_bytes);
  }
  EXPECT_LE(sizes.back(), FragmentCutter::max_bytes);
  EXPECT_NEAR(60.0 * 4 / static_cast<double>(sizes.size()), 1.0, 0.15);
}

TEST(FragmentCutter, CutsTheSameHoweverItIsFed) {
  Random random(2);
  const std::string value = random_text(random, 6 * mib);
  FragmentCutter cutter(key_of(1));
  const auto whole = cut(cutter, value, [&] { return value.size(); });
  EXPECT_GT(whole.size(), 8u);
  EXPECT_EQ(cut(cutter, value, [] { return std::size_t{1}; }), whole);
  for (const std::size_t most : {100, 70'000, 300'000, 2'000'000}) {
    EXPECT_EQ(cut(cutter, value, [&] { return 1 + random() % most; }), whole) << most;
  }
}

TEST(FragmentCutter, AnEditInTheMiddleChangesFewFragments) {
  Random random(3);
  const std::string before = random_text(random, 40 * mib);
  std::string after = before;
  after.replace(20 * mib, 10, "something of another length");
  const auto old_fragments = fragments(before);
  std::size_t fresh_bytes = 0;
  for (const std::string& fragment : fragments(after)) {
    if (!old_fragments.contains(fragment)) fresh_bytes += fragment.size();
  }
  EXPECT_LT(fresh_bytes, 4 * mib);
}

TEST(FragmentCutter, BytesThatAreAllTheSameAreCutAtABound) {
  for (const char c : {'\0', 'x', '\xff'}) {
    const auto sizes = cut(std::string(5 * mib + 1, c));
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) EXPECT_EQ(sizes[i], sizes[0]);
    EXPECT_TRUE(sizes[0] == FragmentCutter::min_bytes || sizes[0] == FragmentCutter::max_bytes);
  }
}

TEST(FragmentCutter, TheSecretDecides) {
  Random random(4);
  const std::string value = random_text(random, 20 * mib);
  EXPECT_EQ(cut(value, key_of(1)), cut(value, key_of(1)));
  EXPECT_NE(cut(value, key_of(1)), cut(value, key_of(2)));
}

TEST(FragmentCutter, EachValueBeginsAnew) {
  Random random(5);
  const std::string value = random_text(random, 2 * mib);
  FragmentCutter cutter(key_of(1));
  const auto first = cut(cutter, value, [&] { return value.size(); });
  cut(cutter, value.substr(0, 100'000), [&] { return value.size(); });
  EXPECT_EQ(cut(cutter, value, [&] { return value.size(); }), first);
}

}  // namespace
}  // namespace sluice::engine
