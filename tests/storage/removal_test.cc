// Removing backups that share packs: what another needs stays, what nobody needs goes, whenever the
// remover dies.

#include <gtest/gtest.h>

#include <set>

#include "storage/head.h"
#include "storage/layout.h"
#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/child.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

constexpr int died_at_step = 42;

class Removal : public Chains {
 protected:
  /// Three backups, each upon the one before: full, child, grandchild.
  void take_three() {
    for (unsigned i = 0; i < 3; ++i) {
      states_.push_back(i == 0 ? some_chunks(20, 2000) : changed(states_.back(), 3, i));
      const auto key =
          take(states_.back(), keys_.empty() ? std::nullopt : std::optional(keys_.back()));
      ASSERT_OK(key);
      keys_.push_back(*key);
    }
  }

  /// Only those of `left` are listed, and they are whole.
  void expect_left(const std::vector<std::size_t>& left) {
    const auto listed = repository_->list();
    ASSERT_OK(listed);
    ASSERT_EQ(listed->size(), left.size());
    for (const std::size_t at : left) expect_whole(keys_[at], states_[at]);
  }

  /// What any writer clears, and keeps.
  Cleared begin_and_abandon() const {
    auto writer = repository_->begin_backup("z");
    EXPECT_OK(writer);
    Cleared cleared = (*writer)->cleared();
    EXPECT_OK((*writer)->abandon());
    return cleared;
  }

  std::vector<std::vector<Bytes>> states_;
  std::vector<BackupKey> keys_;
};

TEST_F(Removal, PacksThatAnotherBackupNamesStayAndGoWithTheLastThatDoes) {
  const auto before = files_below(root_);
  take_three();
  const auto first = repository_->remove_backup(keys_[0]);
  ASSERT_OK(first);
  EXPECT_EQ(first->packs, 0u);
  EXPECT_EQ(first->kept_packs, 1u);
  EXPECT_FALSE(first->kept_because.has_value());
  ASSERT_EQ(tombstones().size(), 1u);
  EXPECT_EQ(tombstones()[0].filename(), "removed-" + keys_[0].id);
  expect_left({1, 2});

  const auto last = repository_->remove_backup(keys_[2]);
  ASSERT_OK(last);
  EXPECT_EQ(last->packs, 1u);
  EXPECT_EQ(last->kept_packs, 1u);
  EXPECT_EQ(tombstones().size(), 1u);
  expect_left({1});

  const auto middle = repository_->remove_backup(keys_[1]);
  ASSERT_OK(middle);
  EXPECT_EQ(middle->packs, 2u) << "its own and the one of the first";
  EXPECT_GT(middle->bytes, 0u);
  EXPECT_EQ(files_below(root_), before);
}

TEST_F(Removal, InAnyOrderEachPackGoesOnceNobodyNamesIt) {
  std::vector<std::size_t> order{0, 1, 2};
  const auto before = files_below(root_);
  do {
    keys_.clear();
    states_.clear();
    take_three();
    std::set<std::size_t> left{0, 1, 2};
    for (const std::size_t at : order) {
      ASSERT_OK(repository_->remove_backup(keys_[at]));
      left.erase(at);
      expect_left({left.begin(), left.end()});
    }
    EXPECT_EQ(files_below(root_), before);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Removal, TombstonesAreNotStraysAndABeginningBackupLeavesTheirPacks) {
  take_three();
  ASSERT_OK(repository_->remove_backup(keys_[0]));
  const auto files = files_below(root_);
  const Cleared cleared = begin_and_abandon();
  EXPECT_EQ(cleared.stray_packs, 0u);
  EXPECT_EQ(cleared.packs, 0u);
  EXPECT_EQ(files_below(root_), files);
  expect_left({1, 2});
}

TEST_F(Removal, A7_AWriterThatDiesAtAnyStepOfItLeavesTheRestToTheNext) {
  const auto before = files_below(root_);
  for (const std::string_view step :
       {"remove_marked", "packs_removed", "tombstone_written", "tombstones_cleared",
        "manifests_removed", "directory_removed"}) {
    for (const std::size_t victim : {0U, 1U, 2U}) {
      SCOPED_TRACE(std::string(step) + " of " + std::to_string(victim));
      keys_.clear();
      states_.clear();
      take_three();
      const int status = in_child([&] {
        const auto dying = open([step](std::string_view at) {
          if (at == step) ::_exit(died_at_step);
        });
        return dying->remove_backup(keys_[victim]) ? 0 : 1;
      });
      const bool last_needs_no_tombstone = step == "tombstone_written" && victim == 2;
      ASSERT_EQ(status, last_needs_no_tombstone ? 0 : died_at_step);
      std::vector<std::size_t> left{0, 1, 2};
      std::erase(left, victim);
      expect_left(left);
      (void)begin_and_abandon();
      expect_left(left);
      EXPECT_EQ(tombstones().size(), victim == 2 ? 0u : 1u);
      EXPECT_EQ(pack_count(), victim == 2 ? 2u : 3u);
      EXPECT_EQ(fs::exists(root_ / "instances/a" / keys_[victim].id), false);
      for (const std::size_t at : left) ASSERT_OK(repository_->remove_backup(keys_[at]));
      EXPECT_EQ(files_below(root_), before);
    }
  }
}

TEST_F(Removal, A7_ABeginningBackupThatDiesWhileItFinishesOneIsNoHarmEither) {
  const auto before = files_below(root_);
  for (const std::string_view step : {"packs_removed", "tombstone_written", "tombstones_cleared",
                                      "manifests_removed", "directory_removed"}) {
    SCOPED_TRACE(step);
    keys_.clear();
    states_.clear();
    take_three();
    const auto die_at = [&](std::string_view where, auto body) {
      return in_child([&] {
        const auto dying = open([where](std::string_view at) {
          if (at == where) ::_exit(died_at_step);
        });
        body(*dying);
        return 0;
      });
    };
    ASSERT_EQ(die_at("remove_marked", [&](auto& r) { (void)r.remove_backup(keys_[0]); }),
              died_at_step);
    ASSERT_EQ(die_at(step, [&](auto& r) { (void)r.begin_backup("z"); }), died_at_step);
    expect_left({1, 2});
    (void)begin_and_abandon();
    expect_left({1, 2});
    for (const std::size_t at : {2U, 1U}) ASSERT_OK(repository_->remove_backup(keys_[at]));
    EXPECT_EQ(files_below(root_), before);
  }
}

TEST_F(Removal, WhileAManifestCannotBeReadNoSharedPackGoes) {
  take_three();
  const auto other = take(some_chunks(2, 100), {}, "b");
  ASSERT_OK(other);
  const fs::path directory = root_ / "instances/b" / other->id;
  std::vector<std::pair<fs::path, Bytes>> whole;
  for (const char* file : {"manifest", "manifest.copy"}) {
    whole.emplace_back(directory / file, read_file(directory / file));
    auto bad = whole.back().second;
    bad[40] ^= std::byte{1};
    write_file(directory / file, bad);
  }
  const std::size_t packs = pack_count();
  const auto removed = repository_->remove_backup(keys_[2]);  // nobody else names its pack
  ASSERT_OK(removed);
  EXPECT_EQ(removed->packs, 0u);
  EXPECT_EQ(removed->kept_packs, 1u);
  ASSERT_TRUE(removed->kept_because.has_value());
  EXPECT_NE(removed->kept_because->detail.find(other->id), std::string::npos);
  EXPECT_EQ(pack_count(), packs);
  EXPECT_EQ(tombstones().size(), 1u);
  for (const auto& [file, bytes] : whole) write_file(file, bytes);
  const auto next = repository_->remove_backup(keys_[1]);
  ASSERT_OK(next);
  EXPECT_EQ(next->packs, 2u) << "what could not be judged before";
  EXPECT_TRUE(tombstones().empty());
  expect_whole(keys_[0], states_[0]);
}

TEST_F(Removal, ADamagedHeadKeepsThePacksThatItsManifestNames) {
  take_three();
  write_file(root_ / "instances/a" / keys_[2].id / "HEAD", {});
  ASSERT_OK(repository_->remove_backup(keys_[0]));
  ASSERT_OK(repository_->remove_backup(keys_[1]));
  const auto backup = repository_->open_backup(keys_[2]);
  ASSERT_OK(backup);
  EXPECT_TRUE(backup->head_damage.has_value());
  const auto checked = repository_->check_backup(*backup, [](const Problem& problem) {
    EXPECT_TRUE(problem.object.ends_with("HEAD")) << to_string(problem.error);
  });
  EXPECT_EQ(checked->problems, 1u);
}

TEST_F(Removal, WhatABackupBuildsOnIsBusyWhileThatIsWrittenAndNotWhenItsWriterIsDead) {
  take_three();
  {
    auto writer = repository_->begin_backup("other", {.parent = keys_[0]});
    ASSERT_OK(writer);
    const auto refused = repository_->remove_backup(keys_[0]);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::busy);
    EXPECT_NE(refused.error().detail.find((*writer)->key().id), std::string::npos);
    ASSERT_EQ(repository_->list()->size(), 3u);
    EXPECT_OK(repository_->remove_backup(keys_[2])) << "only that one";
    ASSERT_OK((*writer)->abandon());
  }
  const int status = in_child([&] {
    const auto dying = open([](std::string_view at) {
      if (at == "head_created") ::_exit(died_at_step);
    });
    return dying->begin_backup("other", {.parent = keys_[0]}) ? 0 : 1;
  });
  ASSERT_EQ(status, died_at_step);
  EXPECT_OK(repository_->remove_backup(keys_[0]));
  expect_left({1});
}

TEST_F(Removal, AChildThatIsBeingWrittenKeepsWhatItsParentNamesOfTheRemoved) {
  take_three();
  const auto parent = repository_->open_backup(keys_[1]);
  auto writer = repository_->begin_backup("other", {.parent = keys_[1]});
  ASSERT_OK(writer);
  ChainMaker maker(*repository_, **writer, &*parent);
  for (std::size_t i = 0; i < 10; ++i) ASSERT_OK(maker.add(states_[1][i], i));
  ASSERT_OK(repository_->remove_backup(keys_[0]));
  ASSERT_OK(repository_->remove_backup(keys_[2]));
  for (std::size_t i = 10; i < 20; ++i) ASSERT_OK(maker.add(states_[1][i], i));
  const auto committed = (*writer)->commit("{}");
  ASSERT_OK(committed);
  ASSERT_OK(repository_->remove_backup(keys_[1]));
  expect_whole(committed->key, states_[1]);
  EXPECT_EQ(tombstones().size(), 2u);
}

TEST_F(Removal, AnAbandonedBackupTakesOnlyItsOwnPacksWithIt) {
  take_three();
  const auto files = files_below(root_);
  const auto parent = repository_->open_backup(keys_[2]);
  {
    auto writer = repository_->begin_backup("a", {.parent = keys_[2]});
    ASSERT_OK(writer);
    ChainMaker maker(*repository_, **writer, &*parent);
    for (const Bytes& raw : changed(states_[2], 1, 9)) ASSERT_OK(maker.add(raw));
  }
  EXPECT_EQ(files_below(root_), files);
  expect_left({0, 1, 2});
}

TEST_F(Removal, ADeadWritersPacksGoThoughAManifestCannotBeRead) {
  take_three();
  const std::size_t packs = pack_count();
  for (const char* file : {"manifest", "manifest.copy"})
    write_file(root_ / "instances/a" / keys_[2].id / file, {});
  const int status = in_child([&] {
    const auto dying = open([](std::string_view at) {
      if (at == "pack_published") ::_exit(died_at_step);
    });
    return take_by(*dying, changed(states_[1], 1, 9), keys_[1], "b") ? 0 : 1;
  });
  ASSERT_EQ(status, died_at_step);
  EXPECT_EQ(pack_count(), packs + 1);
  const Cleared cleared = begin_and_abandon();
  EXPECT_EQ(cleared.packs, 1u);
  EXPECT_EQ(pack_count(), packs);
}

// Mutation: sort_ids() that goes by HEAD alone.
TEST_F(Removal, C5_AHeadRolledBackToRunningCostsNoPackThatAnotherNames) {
  take_three();
  const auto directory = repository_->shared_layout()->backup(keys_[0]);
  ASSERT_OK(directory);
  auto head = repository_->shared_layout()->head(keys_[0]);
  ASSERT_OK(head);
  (*head)->state = HeadState::running;
  (*head)->generation = 1;
  (*head)->manifest_digest = {};
  ASSERT_OK(replace_text(*directory, "HEAD", serialize(**head)));
  const Cleared cleared = begin_and_abandon();
  EXPECT_EQ(cleared.backups, std::vector{keys_[0]});
  EXPECT_EQ(cleared.packs, 0u);
  EXPECT_EQ(cleared.kept_packs, 1u);
  expect_left({1, 2});
  ASSERT_OK(repository_->remove_backups(std::span(keys_).subspan(1)));
  EXPECT_EQ(pack_count(), 0u);
}

}  // namespace
}  // namespace sluice::storage
