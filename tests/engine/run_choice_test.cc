#include "engine/run_choice.h"

#include <random>

#include "backups.h"
#include "engine/place.h"
#include "engine/record_finder.h"

namespace sluice::engine {
namespace {

class RunChoiceTest : public BackupsTest {
 protected:
  /// A backup of some dozen runs in two databases.
  void take_some() {
    for (unsigned db : {0U, 3U}) {
      for (int i = 0; i < 12'000; ++i) {
        const std::string name = "k:" + std::to_string(100'000 + i * 7);
        keys_[{db, name}] = {.value = std::string(200, 'v') + name};
      }
    }
    auto opened = open_place(place(take(rdb_of(keys_))));
    ASSERT_TRUE(opened.has_value());
    backup_ = *std::move(opened);
    auto map = CanonicalMap::of(backup_->backup.stored);
    ASSERT_TRUE(map.has_value());
    map_ = *std::move(map);
    ASSERT_GE(map_->runs().size(), 10u);
  }

  std::vector<bool> chosen(const KeyChoice& choice) {
    const auto chooser = KeyChooser::make(choice);
    EXPECT_TRUE(chooser.has_value());
    return choose_runs(*map_, false, *chooser);
  }

  /// No run without a chosen key is missing; how many were chosen.
  std::size_t check(const KeyChoice& choice) {
    const auto runs = chosen(choice);
    const auto chooser = KeyChooser::make(choice);
    SideReader chunks(*backup_->repository, backup_->backup.stored);
    RecordFinder finder(*map_, false, chunks);
    for (const auto& [name, made] : keys_) {
      if (!chooser->takes(name.first, bytes(name.second), rdb::LogicalType::string)) continue;
      const auto run = finder.run_for(bytes(name.second), name.first);
      EXPECT_TRUE(run && runs[*run - map_->runs().first]) << name.second;
    }
    return static_cast<std::size_t>(std::ranges::count(runs, true));
  }

  MadeKeys keys_;
  std::optional<PlaceBackup> backup_;
  std::optional<CanonicalMap> map_;
};

TEST_F(RunChoiceTest, ReadsOnlyWhatCanHoldAChosenKey) {
  take_some();
  const std::size_t all = map_->runs().size();
  EXPECT_EQ(check({}), all);
  EXPECT_EQ(check({.only = {.databases = {3}}, .except = {}}), map_->runs_of(3).size());
  EXPECT_EQ(check({.only = {}, .except = {.databases = {3}}}), map_->runs_of(0).size());
  // Nothing says where the last run of a database ends.
  EXPECT_EQ(check({.only = {.globs = {"nothing*"}}, .except = {}}), 2u);
  EXPECT_EQ(check({.only = {.globs = {"a*"}}, .except = {}}), 0u);
  EXPECT_LE(check({.only = {.globs = {"k:10007*"}}, .except = {}}), 4u);
  EXPECT_LE(check({.only = {.globs = {"k:100070"}}, .except = {}}), 2u);
  EXPECT_LE(check({.only = {.regexes = {"^k:1000[0-9]"}}, .except = {}}), 4u);
  EXPECT_EQ(check({.only = {.regexes = {"1000"}}, .except = {}}), all);
  EXPECT_EQ(check({.only = {.types = {"hash"}}, .except = {}}), all);
  EXPECT_EQ(check({.only = {}, .except = {.globs = {"k:*"}}}), 2u);
  EXPECT_LT(
      check({.only = {},
             .except = {.globs = {"k:11*", "k:12*", "k:13*", "k:14*", "k:15*", "k:16*", "k:17*"}}}),
      all - 2);
  EXPECT_EQ(check({.only = {}, .except = {.globs = {"k:*7"}}}), all);
  EXPECT_LE(check({.only = {.key_files = {write_file("k:100007\nk:141993\nzzz\n")}}, .except = {}}),
            6u);
}

TEST_F(RunChoiceTest, NeverMissesARun) {
  take_some();
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const auto text = [&] {
      return "k:1" + std::to_string(random() % 1000).substr(0, 1 + random() % 3);
    };
    KeyChoice choice;
    auto& globs = random() % 2 == 0 ? choice.only.globs : choice.except.globs;
    for (unsigned i = 0; i <= random() % 3; ++i)
      globs.push_back(text() + (random() % 3 == 0 ? "?" : "*"));
    check(choice);
  }
}

TEST(LabelRanges, AreMergedAndKeepTheirEnds) {
  const auto ranges = LabelRanges::of({{.name = "b", .is_prefix = true},
                                       {.name = "bc", .is_prefix = true},
                                       {.name = "x", .is_prefix = false},
                                       {.name = "\xff", .is_prefix = true}},
                                      false);
  ASSERT_TRUE(ranges.has_value());
  EXPECT_TRUE(ranges->touches({.from = "a", .to = "b\x01"}));
  EXPECT_FALSE(ranges->touches({.from = "a", .to = "b"}));
  EXPECT_FALSE(ranges->touches({.from = "c", .to = "x"}));
  EXPECT_TRUE(ranges->touches({.from = "w", .to = "y"}));
  EXPECT_FALSE(ranges->touches({.from = std::string("x\0", 2), .to = "y"}));
  EXPECT_TRUE(ranges->touches({.from = "y", .to = std::nullopt}));
  const auto adjoining =
      LabelRanges::of({{.name = "a", .is_prefix = true}, {.name = "b", .is_prefix = true}}, false);
  EXPECT_TRUE(adjoining->covers({.from = "ax", .to = "bx"}));
  EXPECT_TRUE(ranges->covers({.from = "b", .to = "c"}));
  EXPECT_FALSE(ranges->covers({.from = "b", .to = std::nullopt}));
  EXPECT_TRUE(ranges->covers({.from = "\xff\x01", .to = std::nullopt}));
}

TEST(LabelRanges, NeedASlotWhereLabelsHaveOne) {
  EXPECT_FALSE(LabelRanges::of({{.name = "user", .is_prefix = true}}, true).has_value());
  EXPECT_TRUE(LabelRanges::of({{.name = "user", .is_prefix = false}}, true).has_value());
  const auto tagged = LabelRanges::of({{.name = "x{a}", .is_prefix = true}}, true);
  ASSERT_TRUE(tagged.has_value());
  const std::string slot = "\x3c\x87";  // 15495, that of "a"
  EXPECT_TRUE(tagged->touches({.from = slot + "x{a}1", .to = slot + "x{a}2"}));
  EXPECT_FALSE(tagged->touches({.from = slot + "y", .to = std::nullopt}));
}

}  // namespace
}  // namespace sluice::engine
