#include "engine/key_chooser.h"

#include "backups.h"

namespace sluice::engine {
namespace {

using rdb::LogicalType;

class KeyChooserTest : public BackupsTest {
 protected:
  static bool takes(const KeyChoice& choice, std::uint64_t db, std::string_view key,
                    LogicalType type = LogicalType::string) {
    const auto chooser = KeyChooser::make(choice);
    EXPECT_TRUE(chooser.has_value()) << (chooser ? "" : chooser.error().message);
    return chooser && chooser->takes(db, bytes(key), type);
  }
};

TEST_F(KeyChooserTest, TakesAllWithoutConditions) {
  EXPECT_TRUE(takes({}, 3, "a"));
  EXPECT_TRUE(KeyChooser::make({})->takes_all());
}

TEST_F(KeyChooserTest, EachConditionChoosesAndEachExcludes) {
  const std::string file = write_file("listed\nb\\x00n\n");
  struct Case {
    KeyConditions conditions;
    std::uint64_t db;
    std::string key;
    LogicalType type;
    bool holds;
  };
  const auto string = LogicalType::string;
  const std::vector<Case> cases{
      {{.globs = {"user:*", "x?"}}, 0, "user:1", string, true},
      {{.globs = {"user:*", "x?"}}, 0, "xy", string, true},
      {{.globs = {"user:*", "x?"}}, 0, "yx", string, false},
      {{.regexes = {"\\d{3}"}}, 0, "a123", string, true},
      {{.regexes = {"\\d{3}"}}, 0, "a12", string, false},
      {{.key_files = {file}}, 0, "listed", string, true},
      {{.key_files = {file}}, 0, std::string("b\0n", 3), string, true},
      {{.key_files = {file}}, 0, "b", string, false},
      {{.types = {"hash", "zset"}}, 0, "a", LogicalType::zset, true},
      {{.types = {"hash", "zset"}}, 0, "a", string, false},
      {{.databases = {2, 5}}, 5, "a", string, true},
      {{.databases = {2, 5}}, 0, "a", string, false},
      {{.slots = {{.first = 15495, .last = 15495}}}, 0, "a", string, true},
      {{.slots = {{.first = 15495, .last = 15495}}}, 0, "x{a}y", string, true},
      {{.slots = {{.first = 0, .last = 100}}}, 0, "a", string, false},
      {{.globs = {"a"}, .regexes = {"b"}}, 0, "b", string, true},
  };
  for (const Case& some : cases) {
    EXPECT_EQ(takes({.only = some.conditions, .except = {}}, some.db, some.key, some.type),
              some.holds)
        << some.key;
    EXPECT_EQ(takes({.only = {}, .except = some.conditions}, some.db, some.key, some.type),
              !some.holds)
        << some.key;
  }
}

TEST_F(KeyChooserTest, KindsHaveToAgreeAndAnyExclusionWins) {
  const KeyChoice choice{.only = {.globs = {"user:*"}, .types = {"hash"}, .databases = {0}},
                         .except = {.regexes = {"tmp"}, .databases = {9}}};
  EXPECT_TRUE(takes(choice, 0, "user:1", LogicalType::hash));
  EXPECT_FALSE(takes(choice, 1, "user:1", LogicalType::hash));
  EXPECT_FALSE(takes(choice, 0, "user:1", LogicalType::list));
  EXPECT_FALSE(takes(choice, 0, "other", LogicalType::hash));
  EXPECT_FALSE(takes(choice, 0, "user:tmp", LogicalType::hash));
}

TEST_F(KeyChooserTest, AnEmptyKeyFileChoosesNothing) {
  const std::string file = write_file("\n");
  EXPECT_FALSE(takes({.only = {.key_files = {file}}, .except = {}}, 0, "a"));
  EXPECT_TRUE(takes({.only = {}, .except = {.key_files = {file}}}, 0, "a"));
}

TEST_F(KeyChooserTest, RefusesWhatIsNoCondition) {
  for (const KeyConditions& wrong :
       std::vector<KeyConditions>{{.types = {"hahs"}},
                                  {.slots = {{.first = 5, .last = 4}}},
                                  {.slots = {{.first = 0, .last = 16384}}},
                                  {.regexes = {"("}},
                                  {.key_files = {"/nonexistent"}}}) {
    EXPECT_FALSE(KeyChooser::make({.only = wrong, .except = {}}).has_value());
    EXPECT_FALSE(KeyChooser::make({.only = {}, .except = wrong}).has_value());
  }
}

}  // namespace
}  // namespace sluice::engine
