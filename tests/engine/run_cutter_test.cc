#include "engine/run_cutter.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "rdb_text.h"

namespace sluice::engine {
namespace {

CutKey key_of(int number) {
  CutKey key{};
  key[3] = static_cast<std::byte>(number);
  return key;
}

struct Row {
  std::string key;
  std::uint64_t bytes = 0;
};
using Rows = std::vector<Row>;

std::vector<std::size_t> cut(const Rows& rows, const CutKey& key) {
  std::vector<RunCutter::Item> items;
  for (const Row& row : rows) items.push_back({.key = bytes(row.key), .bytes = row.bytes});
  std::vector<std::size_t> cuts;
  RunCutter(key).cut(items, cuts);
  return cuts;
}

std::vector<std::uint64_t> run_sizes(const Rows& rows, const std::vector<std::size_t>& cuts) {
  std::vector<std::uint64_t> sizes;
  std::size_t at = 0;
  for (const std::size_t end : cuts) {
    sizes.push_back(0);
    for (; at < end; ++at) sizes.back() += rows[at].bytes;
  }
  return sizes;
}

/// `next_bytes` says how long each is.
template <class NextBytes>
Rows make_rows(std::uint64_t total_bytes, NextBytes next_bytes) {
  Rows rows;
  for (std::uint64_t bytes = 0; bytes < total_bytes; bytes += rows.back().bytes) {
    const std::string number = std::to_string(rows.size() + 100'000'000);
    rows.push_back({.key = "key:" + number, .bytes = next_bytes()});
  }
  return rows;
}

/// The first keys of the runs.
std::set<std::string> borders(const Rows& rows, const std::vector<std::size_t>& cuts) {
  std::set<std::string> found;
  for (const std::size_t end : cuts) {
    if (end < rows.size()) found.insert(rows[end].key);
  }
  return found;
}

double share_in_common(const std::set<std::string>& left, const std::set<std::string>& right) {
  std::size_t common = 0;
  for (const std::string& key : left) common += right.contains(key) ? 1 : 0;
  return static_cast<double>(common) / static_cast<double>(left.size());
}

TEST(RunCutter, RunsComeToTheTargetWhateverTheLengthOfRecords) {
  for (const std::uint64_t size : {60, 100, 350, 400, 1000, 1300, 5000, 20'000}) {
    const Rows rows = make_rows(100 << 20, [size] { return size; });
    const auto cuts = cut(rows, key_of(1));
    const auto sizes = run_sizes(rows, cuts);
    EXPECT_EQ(cuts.back(), rows.size());
    const double mean = static_cast<double>(rows.size() * size) / static_cast<double>(sizes.size());
    EXPECT_NEAR(mean / RunCutter::target_bytes, 1.0, 0.2) << size;
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      EXPECT_GE(sizes[i], RunCutter::min_bytes);
      EXPECT_LE(sizes[i], RunCutter::max_bytes);
    }
    EXPECT_LE(sizes.back(), RunCutter::max_bytes);
  }
}

TEST(RunCutter, RunsComeToTheTargetWhenLengthsAreMixed) {
  std::mt19937_64 random(1);
  const Rows rows =
      make_rows(100 << 20, [&] { return 40 + (random() & 0xffff) % (1 + (random() & 0x7fff)); });
  const auto sizes = run_sizes(rows, cut(rows, key_of(2)));
  EXPECT_NEAR(100.0 * 4 / static_cast<double>(sizes.size()), 1.0, 0.2);
}

TEST(RunCutter, OnlyWhatDoesNotFitIsShorterOrLonger) {
  std::mt19937_64 random(2);
  const auto next_bytes = [&] {
    return random() % 3 == 0 ? 900'000 + random() % 400'000 : random() % 60'000;
  };
  const Rows rows = make_rows(100 << 20, next_bytes);
  const auto cuts = cut(rows, key_of(3));
  const auto sizes = run_sizes(rows, cuts);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const std::size_t begin = i == 0 ? 0 : cuts[i - 1];
    const bool fits_with_next = sizes[i] + rows[cuts[i]].bytes <= RunCutter::max_bytes;
    EXPECT_TRUE(sizes[i] <= RunCutter::max_bytes || cuts[i] - begin == 1);
    EXPECT_TRUE(sizes[i] >= RunCutter::min_bytes || !fits_with_next);
  }
}

TEST(RunCutter, CutsAgainAsBeforeSoonAfterAnEdit) {
  std::mt19937_64 random(3);
  const Rows before = make_rows(100 << 20, [&] { return 100 + random() % 600; });
  const auto borders_before = borders(before, cut(before, key_of(4)));
  Rows after = before;
  const auto middle = after.begin() + static_cast<std::ptrdiff_t>(after.size() / 2);
  after.insert(middle, {.key = middle->key + "x", .bytes = 5000});
  after.erase(after.begin() + 1000, after.begin() + 1010);
  after[20'000].bytes *= 2;
  const double share = share_in_common(borders_before, borders(after, cut(after, key_of(4))));
  EXPECT_GT(share, 0.97);
}

TEST(RunCutter, OnePercentOfChurnLeavesMostCuts) {
  std::mt19937_64 random(4);
  const Rows before = make_rows(100 << 20, [&] { return 300 + random() % 200; });
  Rows after;
  for (const Row& row : before) {
    const auto edit = random() % 300;
    if (edit == 0) continue;
    after.push_back(row);
    if (edit == 1) after.push_back({.key = row.key + "x", .bytes = 400});
    if (edit == 2) after.back().bytes += random() % 200;
  }
  const double share = share_in_common(borders(before, cut(before, key_of(5))),
                                       borders(after, cut(after, key_of(5))));
  EXPECT_GT(share, 0.9);
}

// Where no record is chosen each cut is made where the number is lowest: found again from
// elsewhere.
TEST(RunCutter, CutsThatAreForcedAreFoundAgain) {
  std::mt19937_64 random(5);
  Rows rows = make_rows(100 << 20, [&] { return 300 + random() % 200; });
  std::erase_if(rows, [](const Row& row) {
    return siphash(key_of(6), bytes(row.key)) <
           UINT64_MAX / 300;  // a record of 655 bytes is chosen
  });
  const auto cuts = cut(rows, key_of(6));
  const auto sizes = run_sizes(rows, cuts);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    EXPECT_GE(sizes[i], RunCutter::min_bytes);
    EXPECT_LE(sizes[i], RunCutter::max_bytes);
  }
  Rows fewer = rows;
  fewer.erase(fewer.begin(), fewer.begin() + 777);
  const double share = share_in_common(borders(rows, cuts), borders(fewer, cut(fewer, key_of(6))));
  EXPECT_GT(share, 0.95);
}

TEST(RunCutter, TheSecretDecidesAndNothingElse) {
  std::mt19937_64 random(6);
  const Rows rows = make_rows(50 << 20, [&] { return 100 + random() % 600; });
  EXPECT_EQ(cut(rows, key_of(7)), cut(rows, key_of(7)));
  const double share =
      share_in_common(borders(rows, cut(rows, key_of(7))), borders(rows, cut(rows, key_of(8))));
  EXPECT_LT(share, 0.05);
}

TEST(RunCutter, FewRecordsAreOneRunAndNoneIsNone) {
  EXPECT_TRUE(cut({}, key_of(9)).empty());
  EXPECT_EQ(cut({{"a", 10}}, key_of(9)), std::vector<std::size_t>{1});
  EXPECT_EQ(cut({{"a", 10}, {"b", 60'000}}, key_of(9)), std::vector<std::size_t>{2});
  EXPECT_EQ(cut({{"a", 2 << 20}, {"b", 3 << 20}}, key_of(9)), (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(cut({{"a", UINT64_MAX}, {"b", UINT64_MAX}}, key_of(9)),
            (std::vector<std::size_t>{1, 2}));
}

}  // namespace
}  // namespace sluice::engine
