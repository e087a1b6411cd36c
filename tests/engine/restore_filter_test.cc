#include "engine/restore_filter.h"

#include "backups.h"
#include "engine/place.h"

namespace sluice::engine {
namespace {

TEST(RestoreFilter, SeesDatabasesThatGoToOne) {
  const DatabaseKeys databases{{0, 5}, {3, 5}, {7, 0}};
  const auto merges = [&](const Filter& filter) {
    return merges_databases(filter, *KeyChooser::make(filter.keys), databases);
  };
  Filter filter;
  EXPECT_FALSE(merges(filter));
  filter.databases = {{3, 1}, {7, 1}};  // the latter is empty
  EXPECT_FALSE(merges(filter));
  filter.databases = {{3, 0}};
  EXPECT_TRUE(merges(filter));
  filter.databases = {{3, 0}, {0, 3}};
  EXPECT_FALSE(merges(filter));
  filter.databases = {{3, 0}};
  filter.keys.only.databases = {3};
  EXPECT_FALSE(merges(filter));
}

TEST(RestoreFilter, RefusesToReplaceAKeyOfTheBackupByAnother) {
  const DatabaseKeys databases{{0, 5}, {3, 5}};
  const Filter filter{.databases = {{3, 0}}};
  const auto chooser = KeyChooser::make({});
  EXPECT_TRUE(check_mapping(filter, *chooser, databases, OnConflict::refuse).has_value());
  EXPECT_TRUE(check_mapping(filter, *chooser, databases, OnConflict::skip).has_value());
  const auto refused = check_mapping(filter, *chooser, databases, OnConflict::replace);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "bad_option");
}

class RestoreFilterTest : public BackupsTest {};

TEST_F(RestoreFilterTest, AccountsForEveryKeyOfABackup) {
  MadeKeys keys;
  for (int i = 0; i < 20'000; ++i)
    keys[{i % 2 == 0 ? 0U : 2U, "key:" + std::to_string(i)}] = {.value = std::string(100, 'v')};
  for (const BackupLayout layout : {BackupLayout::canonical, BackupLayout::stream}) {
    const auto opened = open_place(place(take(rdb_of(keys), layout)));
    ASSERT_TRUE(opened.has_value());
    Filter filter;
    filter.keys.only.globs = {"key:777*"};
    const auto chooser = KeyChooser::make(filter.keys);
    RestoreLedger ledger(OnConflict::refuse);
    LedgerTally tally(ledger);
    StreamFacts target;
    RestoreFilter restore(filter, *chooser, opened->backup, target, tally, 0);
    rdb::Parser parser(restore.entry());
    ASSERT_TRUE(restore.read(*opened->repository, parser, {}, {}).has_value());
    RestoreResult result;
    ledger.report(result);
    restore.report(result);
    EXPECT_EQ(target.keys(), 11u);  // 777, 7770 to 7779
    EXPECT_EQ(result.total.filtered + target.keys() + result.unread, 20'000u);
    const bool canonical = layout == BackupLayout::canonical;
    EXPECT_EQ(result.runs_skipped > 0, canonical);
    EXPECT_EQ(result.unread > 0, canonical);
    EXPECT_EQ(restore.reads_all(), !canonical);
    EXPECT_LE(result.chunks_read + result.runs_skipped, opened->backup.stored.chunks.size());
  }
}

}  // namespace
}  // namespace sluice::engine
