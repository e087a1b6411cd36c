// Thin packs of removed backups give way to full ones, and no backup loses a byte by it, whenever
// the repacker dies.

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>

#include "storage/repository.h"
#include "tests/storage/chain_fixture.h"
#include "tests/storage/child.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

class Repack : public Chains {
 protected:
  explicit Repack(std::string passphrase = {})
      : Chains({.depth = 4, .block_bytes = 64 << 10, .decorate = {}}, std::move(passphrase)) {}

  /// A full backup of forty chunks, then three upon one another that have but ten of them, changed
  /// a little each time; the full one is removed. Its pack is then thin.
  void make_thin() {
    keys_.clear();
    states_ = {some_chunks(40, 20000)};
    for (unsigned i = 0; i < 4; ++i) {
      if (i > 0) {
        states_.push_back(changed(states_.back(), 3, i));
        states_.back().resize(10);
      }
      const auto key = take(states_[i], i == 0 ? std::nullopt : std::optional(keys_.back()));
      ASSERT_OK(key);
      keys_.push_back(*key);
    }
    ASSERT_OK(repository_->remove_backup(keys_[0]));
  }

  void expect_rest_whole() const {
    ASSERT_EQ(repository_->list()->size(), 3u);
    for (std::size_t i = 1; i < 4; ++i) expect_whole(keys_[i], states_[i]);
  }

  [[nodiscard]] std::uint64_t pack_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& file : files_below(root_ / "packs")) bytes += fs::file_size(file);
    return bytes;
  }

  void remove_all() {
    ASSERT_OK(repository_->remove_backups(std::span(keys_).subspan(1)));
    EXPECT_EQ(pack_count(), 0u);
    EXPECT_TRUE(tombstones().empty() || tombstones().size() == 1u);
  }

  std::vector<std::vector<Bytes>> states_;
  std::vector<BackupKey> keys_;
};

TEST_F(Repack, CopiesWhatIsNamedAndHasTheThinPackGo) {
  make_thin();
  const std::uint64_t before = pack_bytes();
  const auto repacked = repository_->repack();
  ASSERT_OK(repacked);
  EXPECT_EQ(repacked->packs, 1u);
  EXPECT_EQ(repacked->backups, 3u);
  EXPECT_LT(repacked->copied_bytes, repacked->bytes * 4 / 10);
  EXPECT_EQ(repacked->removed.packs, 1u);
  EXPECT_LT(pack_bytes(), before);
  expect_rest_whole();
  for (std::size_t i = 1; i < 4; ++i) {
    const fs::path folder = root_ / "instances/a" / keys_[i].id;
    EXPECT_TRUE(fs::exists(folder / "manifest.1.copy"));
    EXPECT_FALSE(fs::exists(folder / "manifest"));
  }
  const auto again = repository_->repack();
  ASSERT_OK(again);
  EXPECT_EQ(again->packs, 0u) << "nothing is thin any more";
  const auto next = take(changed(states_[3], 2, 7), keys_[3]);  // builds on a repacked one
  ASSERT_OK(next);
  expect_whole(*next, changed(states_[3], 2, 7));
  keys_.push_back(*next);
  remove_all();
}

TEST_F(Repack, ABackupThatLostItsHeadIsReadByTheManifestThatCameLast) {
  make_thin();
  ASSERT_OK(repository_->repack());
  fs::remove(root_ / "instances/a" / keys_[3].id / "HEAD");
  const auto backup = repository_->open_backup(keys_[3]);
  ASSERT_OK(backup);
  EXPECT_TRUE(backup->head_damage.has_value());
}

TEST_F(Repack, LeavesFullPacksAndThoseOfListedBackupsAlone) {
  const auto full = take(some_chunks(20, 20000));
  ASSERT_OK(full);
  ASSERT_OK(take(changed(some_chunks(20, 20000), 10, 1), *full));
  EXPECT_EQ(repository_->repack()->packs, 0u);
  ASSERT_OK(repository_->remove_backup(*full));
  EXPECT_EQ(repository_->repack()->packs, 0u) << "all of it is still named";
}

// Mutation: rewrite_backup() without asking for a live child.
TEST_F(Repack, ABackupThatARunningOneBuildsOnStaysAsItIs) {
  make_thin();
  auto child = repository_->begin_backup("b", {.parent = keys_[3]});
  ASSERT_OK(child);
  const auto repacked = repository_->repack();
  ASSERT_OK(repacked);
  EXPECT_EQ(repacked->backups, 2u);
  EXPECT_EQ(repacked->removed.packs, 0u) << "the parent still names the thin pack";
  const auto parent = repository_->open_backup(keys_[3]);
  ASSERT_OK(parent);
  ChainMaker maker(*repository_, **child, &*parent);
  for (std::size_t i = 0; i < states_[3].size(); ++i) ASSERT_OK(maker.add(states_[3][i], i));
  ASSERT_OK((*child)->commit("{}"));
  expect_whole((*child)->key(), states_[3]);
  const auto rest = repository_->repack();
  ASSERT_OK(rest);
  EXPECT_EQ(rest->backups, 2u);
  EXPECT_EQ(rest->removed.packs, 1u);
  for (std::size_t i = 1; i < 4; ++i) expect_whole(keys_[i], states_[i]);
  expect_whole((*child)->key(), states_[3]);
}

TEST_F(Repack, A3_ARepackerThatDiesAtAnyStepLosesNothing) {
  for (const std::string_view step :
       {"pack_published", "before_commit", "manifest_rewritten", "manifest_swapped",
        "packs_removed", "tombstone_written", "tombstones_cleared", "manifests_removed",
        "directory_removed"}) {
    SCOPED_TRACE(step);
    make_thin();
    const int status = in_child([&] {
      const auto dying = open([step](std::string_view at) {
        if (at == step) ::_exit(42);
      });
      return dying->repack() ? 0 : 1;
    });
    ASSERT_EQ(status, 42);
    expect_rest_whole();
    auto writer = repository_->begin_backup("z");  // clears up
    ASSERT_OK(writer);
    EXPECT_EQ((*writer)->cleared().stray_packs, 0u);
    ASSERT_OK((*writer)->abandon());
    expect_rest_whole();
    ASSERT_OK(repository_->repack());
    expect_rest_whole();
    remove_all();
  }
}

TEST_F(Repack, CanBeStoppedAndChangesNothingThen) {
  make_thin();
  const auto before = files_below(root_);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = repository_->repack({.stop = stop.get_token()});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, std::errc::operation_canceled);
  EXPECT_EQ(files_below(root_), before);
  expect_rest_whole();
}

TEST_F(Repack, ADamagedBlobIsNotCopied) {
  make_thin();
  for (const auto& file : files_below(root_ / "packs")) {
    if (!file.filename().string().starts_with(keys_[0].id)) continue;
    auto bytes = read_file(file);
    bytes[1000] ^= std::byte{1};  // in the first chunk
    fs::permissions(file, fs::perms::owner_all);
    write_file(file, bytes);
  }
  const auto failed = repository_->repack();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::checksum_mismatch);
  EXPECT_EQ(repository_->list()->size(), 3u);
}

class EncryptedRepack : public Repack {
 protected:
  EncryptedRepack() : Repack("a passphrase") {}
};

TEST_F(EncryptedRepack, CopiesBlobsUnderTheKeysOfTheirNewPacks) {
  make_thin();
  const auto repacked = repository_->repack();
  ASSERT_OK(repacked);
  EXPECT_EQ(repacked->packs, 1u);
  EXPECT_EQ(repacked->backups, 3u);
  EXPECT_EQ(repacked->removed.packs, 1u);
  repository_ = open();
  expect_rest_whole();
  const auto next = take(changed(states_[3], 2, 7), keys_[3]);
  ASSERT_OK(next);
  expect_whole(*next, changed(states_[3], 2, 7));
  keys_.push_back(*next);
  remove_all();
}

}  // namespace
}  // namespace sluice::storage
