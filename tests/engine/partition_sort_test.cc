#include "engine/partition_sort.h"

#include "engine/border_sample.h"
#include "engine/partition_map.h"
#include "partition_text.h"

namespace sluice::engine {
namespace {

/// Texts that agree for a while, end anywhere and have zeros where others have ended.
std::vector<std::string> texts(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    for (std::size_t words = random() % 5; words > 0; --words) {
      static constexpr std::string_view choice[] = {"session:",         "user",     "u",   "\0",
                                                    "\0\0\0\0\0\0\0\0", "12345678", "\xff"};
      const std::string_view word = choice[random() % std::size(choice)];
      text += word == "" ? std::string(1 + random() % 9, '\0') : std::string(word);
    }
    if (random() % 2 == 0) text += std::to_string(random() % 1000);
    all.push_back(text);
  }
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

class Packed {
 public:
  explicit Packed(const std::vector<std::string>& keys) {
    std::size_t bytes = 0;
    for (const std::string& key : keys) bytes += PackedRecord::head_bytes + key.size();
    memory_.resize(bytes);
    std::size_t at = 0;
    for (const std::string& key : keys) {
      const OwnedRecord record{.key = key};
      PackedRecord::pack(record.view(), record.view().key, memory_.data() + at);
      entries_.push_back({.prefix = 0, .record = memory_.data() + at});
      at += PackedRecord(memory_.data() + at).size();
    }
  }

  [[nodiscard]] std::span<SortedBatch::Entry> entries() { return entries_; }
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    for (const auto& entry : entries_) keys.push_back(text_of(PackedRecord(entry.record).label()));
    return keys;
  }

 private:
  std::vector<std::byte> memory_;
  std::vector<SortedBatch::Entry> entries_;
};

TEST(SortEntries, GivesTheOrderOfStdSort) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto expected = texts(3000, seed);
    auto keys = expected;
    std::ranges::shuffle(keys, std::mt19937_64(seed));
    Packed packed(keys);
    ASSERT_EQ(sort_entries(packed.entries()), nullptr);
    ASSERT_EQ(packed.keys(), expected);
  }
}

// Each level of recursion goes eight bytes further; here there are more than it may have.
TEST(SortEntries, SortsKeysThatAreEachOthersPrefixes) {
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < 2000; ++i) expected.emplace_back(i * 5, 'a');
  auto keys = expected;
  std::ranges::shuffle(keys, std::mt19937_64(1));
  Packed packed(keys);
  ASSERT_EQ(sort_entries(packed.entries()), nullptr);
  EXPECT_EQ(packed.keys(), expected);
}

TEST(SortEntries, FindsWhateverIsThereTwice) {
  const auto keys = texts(300, 5);
  for (const std::string& key : keys) {
    auto more = keys;
    more.push_back(key);
    Packed packed(more);
    const std::byte* const twice = sort_entries(packed.entries());
    ASSERT_NE(twice, nullptr);
    EXPECT_EQ(text_of(PackedRecord(twice).label()), key);
  }
}

TEST(PartitionMap, CountsTheBordersThatAreNotAbove) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto borders = texts(500, seed);
    std::vector<std::vector<std::byte>> copies;
    for (const std::string& border : borders) copies.push_back(bytes_of(border));
    const PartitionMap map(copies);
    ASSERT_EQ(map.size(), borders.size() + 1);
    auto labels = texts(2000, seed + 100);
    labels.insert(labels.end(), borders.begin(), borders.end());
    for (const std::string& label : labels) {
      const auto above = std::ranges::upper_bound(borders, label);
      ASSERT_EQ(map.find(std::as_bytes(std::span(label))),
                static_cast<std::size_t>(above - borders.begin()));
    }
  }
  EXPECT_EQ(PartitionMap().find({}), 0U);
}

TEST(BorderSample, PartsByBytesNotByRecords) {
  BorderSample sample(100);
  for (int i = 0; i < 1000; ++i) {
    const std::string label = std::to_string(1000 + i);
    sample.add(std::as_bytes(std::span(label)), i < 100 ? 90 : 10);  // both halves are equal
  }
  const auto borders = sample.choose(4);
  ASSERT_EQ(borders.size(), 3U);
  EXPECT_EQ(text_of(borders[0]), "1050");
  EXPECT_EQ(text_of(borders[1]), "1100");
  EXPECT_EQ(text_of(borders[2]), "1550");
}

TEST(BorderSample, HasABorderWheneverTwoLabelsDiffer) {
  BorderSample sample(4);
  const auto add = [&](std::string_view label, std::uint64_t weight) {
    sample.add(std::as_bytes(std::span(label)), weight);
  };
  add("same", 1);
  add("same and cut", 1);
  EXPECT_TRUE(sample.cut());
  EXPECT_TRUE(sample.choose(10).empty());
  add("sane", 0);
  const auto borders = sample.choose(10);
  ASSERT_EQ(borders.size(), 1U);
  EXPECT_EQ(text_of(borders[0]), "sane");
}

}  // namespace
}  // namespace sluice::engine
