#include "engine/prefix_tree.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "rdb_text.h"

namespace sluice::engine {
namespace {

Amount one_key(std::uint64_t memory_bytes) {
  return {.keys = 1, .serialized_bytes = 7, .elements = 3, .memory_bytes = memory_bytes};
}

void add(PrefixTree& tree, std::string_view key, std::uint64_t memory_bytes = 100) {
  tree.add(tree.locate(bytes(key)), one_key(memory_bytes));
}

/// Every prefix with its number of keys; checks on the way that each node's parts make it up.
std::map<std::string, std::uint64_t> flat(const PrefixNode& root) {
  std::map<std::string, std::uint64_t> keys;
  const std::function<void(const PrefixNode&)> walk = [&](const PrefixNode& node) {
    EXPECT_TRUE(keys.emplace(node.prefix, node.amount.keys).second) << node.prefix;
    Amount parts = node.own;
    parts += node.other;
    for (const PrefixNode& child : node.children) {
      parts += child.amount;
      walk(child);
    }
    EXPECT_EQ(parts, node.amount) << node.prefix;
  };
  walk(root);
  return keys;
}

std::map<std::string, std::uint64_t> prefixes_of(const std::vector<std::string>& keys,
                                                 PrefixTreeOptions options = {}) {
  PrefixTree tree(std::move(options));
  for (const std::string& key : keys) add(tree, key);
  auto all = flat(tree.shown(1000));
  EXPECT_EQ(all[""], keys.size());
  all.erase("");
  return all;
}

using Counts = std::map<std::string, std::uint64_t>;

TEST(PrefixTree, PutsSegmentsThatLookLikeIdsTogether) {
  EXPECT_EQ(prefixes_of({"user:1:profile", "user:22:profile", "user:x:profile"}),
            (Counts{{"user:", 3},
                    {"user:*:", 2},
                    {"user:*:profile", 2},
                    {"user:x:", 1},
                    {"user:x:profile", 1}}));
  EXPECT_EQ(prefixes_of({"s:3f2504e0-4f89-11d3-9a0c-0305e82c3301", "s:deadbeef01", "s:deadbeef"}),
            (Counts{{"s:", 3}, {"s:*", 2}, {"s:deadbeef", 1}}));
  EXPECT_EQ(prefixes_of({"key00000017", "key00000018", "v2", ""}),
            (Counts{{"key*", 2}, {"v2", 1}}));
  EXPECT_EQ(prefixes_of({"user:1", "user:22"}, {.fold_ids = false}),
            (Counts{{"user:", 2}, {"user:1", 1}, {"user:22", 1}}));
}

TEST(PrefixTree, DoesNotTakeAStarForAnId) {
  PrefixTree tree({});
  add(tree, "a:*");
  add(tree, "a:17");
  EXPECT_EQ(tree.size(), 1u + 3);
}

TEST(PrefixTree, TakesEachSeparatorForItself) {
  EXPECT_EQ(prefixes_of({"a/b:c", "a:b:c", "::"}, {.separators = ":/"}), (Counts{{"a/", 1},
                                                                                 {"a/b:", 1},
                                                                                 {"a/b:c", 1},
                                                                                 {"a:", 1},
                                                                                 {"a:b:", 1},
                                                                                 {"a:b:c", 1},
                                                                                 {":", 1},
                                                                                 {"::", 1}}));
  EXPECT_EQ(prefixes_of({"a:b"}, {.separators = ""}), (Counts{{"a:b", 1}}));
  EXPECT_EQ(prefixes_of({"a:b:c:d", "a:b:e"}, {.depth = 2}), (Counts{{"a:", 2}, {"a:b:", 2}}));
}

TEST(PrefixTree, EscapesAndCutsWhatKeysHave) {
  const std::string long_segment(10'000, 'x');
  EXPECT_EQ(prefixes_of({std::string("\xff\"\0", 3), long_segment, long_segment + "y"}),
            (Counts{{"\\xff\\\"\\x00", 1}, {std::string(64, 'x') + "...", 2}}));
}

TEST(PrefixTree, CountsWhatIsNotShownAsOther) {
  PrefixTree tree({});
  add(tree, "a:x", 300);
  add(tree, "a:y", 100);
  add(tree, "b", 50);
  const PrefixNode root = tree.shown(2);
  EXPECT_EQ(flat(root), (Counts{{"", 3}, {"a:", 2}, {"a:x", 1}}));
  EXPECT_EQ(root.other.memory_bytes, 50u);
  EXPECT_EQ(root.children.front().other.memory_bytes, 100u);
}

// The promise of the bound: what a node has is at most the truth, and what it may lack makes up
// for the difference.
TEST(PrefixTree, LosesNothingWhenItIsFullAndSaysHowFarOffANodeMayBe) {
  PrefixTree tree({.fold_ids = false, .nodes_max = 200});
  std::mt19937 random(7);
  std::geometric_distribution<int> heavy(0.02);
  std::uniform_int_distribution<int> any(0, 1 << 30);
  Counts truth;
  constexpr std::uint64_t keys = 100'000;
  for (std::uint64_t i = 0; i < keys; ++i) {
    const std::string first = "g" + std::to_string(heavy(random)) + ":";
    const std::string second = first + std::to_string(heavy(random) / 4) + ":";
    ++truth[first];
    ++truth[second];
    add(tree, second + std::to_string(any(random)));
  }
  EXPECT_GT(tree.folds(), 100u);
  EXPECT_LE(tree.size(), 200u);
  const PrefixNode root = tree.shown(1000);
  EXPECT_EQ(flat(root).at(""), keys);
  std::size_t checked = 0;
  const std::function<void(const PrefixNode&)> check = [&](const PrefixNode& node) {
    if (const auto known = truth.find(node.prefix); known != truth.end()) {
      ++checked;
      EXPECT_LE(node.amount.keys, known->second) << node.prefix;
      EXPECT_GE(node.amount.keys + node.missing_keys_max, known->second) << node.prefix;
      EXPECT_GE(node.amount.memory_bytes + node.missing_memory_max, known->second * 100);
    }
    for (const PrefixNode& child : node.children) check(child);
  };
  check(root);
  EXPECT_GT(checked, 50u);
}

}  // namespace
}  // namespace sluice::engine
