// Removed backups stay in the trash for a while: they can be had back, and what turns out to be
// needed comes back by itself before anything goes for good.

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/child.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t ever = std::numeric_limits<std::uint64_t>::max();

class TrashBin : public Chains {
 protected:
  TrashBin() {
    keep_trash_ = true;
    repository_ = open();
  }

  /// A full backup and one upon it.
  void take_two() {
    states_ = {some_chunks(20, 2000)};
    states_.push_back(changed(states_[0], 3, 1));
    for (std::size_t i = 0; i < 2; ++i) {
      const auto key = take(states_[i], i == 0 ? std::nullopt : std::optional(keys_[0]));
      ASSERT_OK(key);
      keys_.push_back(*key);
    }
  }

  std::vector<std::vector<Bytes>> states_;
  std::vector<BackupKey> keys_;
};

TEST_F(TrashBin, HoldsWhatWasRemovedUntilItIsEmptied) {
  const auto before = files_below(root_);
  take_two();
  const auto removed = repository_->remove_backups(keys_);
  ASSERT_OK(removed);
  EXPECT_EQ(removed->packs, 2u);
  EXPECT_TRUE(repository_->list()->empty());
  EXPECT_EQ(pack_count(), 0u);
  const auto trash = repository_->trash();
  ASSERT_OK(trash);
  ASSERT_EQ(trash->backups.size(), 2u);
  EXPECT_EQ(trash->backups[0].key, keys_[0]);
  EXPECT_EQ(trash->packs, 2u);
  EXPECT_GT(trash->bytes, 0u);
  const std::uint64_t removed_at = trash->backups[0].removed_at_ms;

  const auto early = repository_->empty_trash(removed_at);
  ASSERT_OK(early);
  EXPECT_EQ(early->packs, 0u);
  const auto emptied = repository_->empty_trash(removed_at + 1);
  ASSERT_OK(emptied);
  EXPECT_EQ(emptied->packs, 2u);
  EXPECT_EQ(emptied->backups, 2u);
  EXPECT_EQ(emptied->rescued_packs, 0u);
  EXPECT_EQ(files_below(root_), before);
  EXPECT_TRUE(fs::is_empty(root_ / "trash"));
}

TEST_F(TrashBin, GivesABackupBackWithPacksThatOthersNeededAtFirst) {
  take_two();
  ASSERT_OK(repository_->remove_backup(keys_[0]));  // its pack stays: the other names it
  EXPECT_EQ(pack_count(), 2u);
  ASSERT_OK(repository_->remove_backup(keys_[1]));  // both packs go, to another heap
  EXPECT_EQ(pack_count(), 0u);
  ASSERT_OK(repository_->restore_from_trash(keys_[0]));
  ASSERT_EQ(repository_->list()->size(), 1u);
  expect_whole(keys_[0], states_[0]);
  ASSERT_OK(repository_->restore_from_trash(keys_[1]));
  expect_whole(keys_[1], states_[1]);
  EXPECT_EQ(repository_->trash()->packs, 0u);
  EXPECT_EQ(repository_->restore_from_trash(keys_[1]).error().code, Errc::not_found);
  ASSERT_OK(repository_->empty_trash(ever));
  expect_whole(keys_[0], states_[0]);
  expect_whole(keys_[1], states_[1]);
  ASSERT_OK(repository_->remove_backup(keys_[1]));
  expect_whole(keys_[0], states_[0]);
}

// Mutation: empty_trash() without reading the manifests again.
TEST_F(TrashBin, E6_APackThatIsNamedAfterAllComesBackBeforeTheRestGoes) {
  take_two();
  const auto doomed = take(some_chunks(5, 3000), {}, "c");
  ASSERT_OK(doomed);
  ASSERT_OK(repository_->remove_backup(*doomed));
  const fs::path heap = fs::directory_iterator(root_ / "trash")->path();
  const fs::path wrongly = files_below(root_ / "packs").front();
  fs::rename(wrongly, heap / "packs" / wrongly.filename());
  expect_whole(keys_[1], states_[1]);  // a reader finds it in the trash, too
  const auto emptied = repository_->empty_trash(ever);
  ASSERT_OK(emptied);
  EXPECT_EQ(emptied->rescued_packs, 1u);
  EXPECT_EQ(emptied->packs, 1u);
  EXPECT_TRUE(fs::exists(wrongly));
  expect_whole(keys_[0], states_[0]);
  expect_whole(keys_[1], states_[1]);
}

TEST_F(TrashBin, NothingGoesForGoodWhileAManifestCannotBeRead) {
  take_two();
  const auto doomed = take(some_chunks(5, 3000), {}, "c");
  ASSERT_OK(doomed);
  ASSERT_OK(repository_->remove_backup(*doomed));
  for (const char* file : {"manifest", "manifest.copy"}) {
    const fs::path path = root_ / "instances/a" / keys_[1].id / file;
    fs::permissions(path, fs::perms::owner_all);
    std::ofstream(path) << "no manifest";
  }
  const auto emptied = repository_->empty_trash(ever);
  ASSERT_OK(emptied);
  EXPECT_TRUE(emptied->kept_because.has_value());
  EXPECT_EQ(emptied->packs, 0u);
  ASSERT_OK(repository_->restore_from_trash(*doomed));
  expect_whole(*doomed, some_chunks(5, 3000));
}

// Mutation: check_plausible() that always finds the listing plausible.
TEST_F(TrashBin, D2_NothingGoesWhenManyBackupsAreSuddenlyNotListed) {
  take_two();
  const auto third = take(some_chunks(5, 3000), {}, "c");
  const auto fourth = take(some_chunks(5, 4000), {}, "d");
  ASSERT_OK(fourth);
  ASSERT_OK(repository_->remove_backup(*third));  // a collection notes that three are listed
  fs::rename(root_ / "instances/a", scratch_.path() / "not-mounted");
  const auto removed = repository_->remove_backup(*fourth);
  ASSERT_OK(removed);
  ASSERT_TRUE(removed->kept_because.has_value());
  EXPECT_EQ(removed->kept_because->code, Errc::implausible);
  const auto emptied = repository_->empty_trash(ever);
  ASSERT_OK(emptied);
  ASSERT_TRUE(emptied->kept_because.has_value());
  EXPECT_EQ(emptied->kept_because->code, Errc::implausible);
  EXPECT_EQ(emptied->packs, 0u);
  fs::rename(scratch_.path() / "not-mounted", root_ / "instances/a");
  expect_whole(keys_[1], states_[1]);
  EXPECT_EQ(repository_->empty_trash(ever)->packs, 1u);

  fs::remove_all(root_ / "instances/a");
  EXPECT_FALSE(repository_->empty_trash(ever, true)->kept_because.has_value());
}

TEST_F(TrashBin, APinKeepsABackupUntilItIsTakenOff) {
  take_two();
  ASSERT_OK(repository_->pin(keys_[0], "before the migration"));
  const auto refused = repository_->remove_backups(keys_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::pinned);
  EXPECT_NE(refused.error().detail.find("before the migration"), std::string::npos);
  ASSERT_EQ(repository_->list()->size(), 2u) << "not the other either";
  EXPECT_EQ(repository_->list()->front().pin->note, "before the migration");
  const fs::path file = root_ / "instances/a" / keys_[0].id / "PINNED";
  fs::permissions(file, fs::perms::owner_all);
  std::ofstream(file) << "damaged";
  EXPECT_EQ(repository_->remove_backup(keys_[0]).error().code, Errc::pinned);
  ASSERT_OK(repository_->unpin(keys_[0]));
  ASSERT_OK(repository_->remove_backups(keys_));
  EXPECT_EQ(repository_->pin(keys_[0], "").error().code, Errc::not_found);
}

TEST_F(TrashBin, A4_ARemoverThatDiesAtAnyStepLeavesTheRestToTheNext) {
  for (const std::string_view step : {"remove_marked", "packs_removed", "tombstone_written",
                                      "tombstones_cleared", "directory_removed"}) {
    SCOPED_TRACE(step);
    keys_.clear();
    take_two();
    const int status = in_child([&] {
      const auto dying = open([step](std::string_view at) {
        if (at == step) ::_exit(42);
      });
      return dying->remove_backup(keys_[0]) ? 0 : 1;
    });
    ASSERT_EQ(status, 42);
    expect_whole(keys_[1], states_[1]);
    auto writer = repository_->begin_backup("z");
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->abandon());
    ASSERT_OK(repository_->restore_from_trash(keys_[0]));
    expect_whole(keys_[0], states_[0]);
    ASSERT_OK(repository_->remove_backups(keys_));
    ASSERT_OK(repository_->empty_trash(ever));
  }
}

TEST_F(TrashBin, A3_WhoEmptiesItAndDiesAtAnyStepLeavesTheRestToTheNext) {
  for (const std::string_view step : {"trash_judged", "trash_emptied"}) {
    SCOPED_TRACE(step);
    keys_.clear();
    take_two();
    ASSERT_OK(repository_->remove_backup(keys_[1]));
    const int status = in_child([&] {
      const auto dying = open([step](std::string_view at) {
        if (at == step) ::_exit(42);
      });
      return dying->empty_trash(ever) ? 0 : 1;
    });
    ASSERT_EQ(status, 42);
    expect_whole(keys_[0], states_[0]);
    ASSERT_OK(repository_->empty_trash(ever));
    EXPECT_EQ(repository_->trash()->packs, 0u);
    expect_whole(keys_[0], states_[0]);
    ASSERT_OK(repository_->remove_backup(keys_[0]));
    ASSERT_OK(repository_->empty_trash(ever));
  }
}

}  // namespace
}  // namespace sluice::storage
