// Writers that die: whatever they leave, nothing of it is listed, what was listed stays whole, and
// the next writer clears it.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <future>
#include <optional>
#include <thread>

#include "storage/file_lock.h"
#include "storage/head.h"
#include "storage/repository.h"
#include "tests/storage/child.h"
#include "tests/storage/crash_fixture.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

TEST_F(Crash, A7_BeforeTheCommitLeavesNothingListedAndTheNextWriterClears) {
  ASSERT_OK(back_up(**open(), "a"));
  const auto before = files_below(root_);
  for (const std::string_view step :
       {"head_created", "pack_published", "manifest_published", "before_commit"}) {
    SCOPED_TRACE(step);
    const int status = in_child([&] { return back_up(**open(step), "a") ? 0 : 1; });
    ASSERT_EQ(status, died_at_step);
    EXPECT_GT(files_below(root_).size(), before.size());
    EXPECT_EQ(check_all_listed(), 1u);

    auto repository = open();
    auto writer = (*repository)->begin_backup("b");  // any writer clears for all
    ASSERT_OK(writer);
    ASSERT_EQ((*writer)->cleared().backups.size(), 1u);
    EXPECT_EQ((*writer)->cleared().backups[0].instance, "a");
    EXPECT_EQ((*writer)->cleared().packs, step == "head_created" ? 0u : 1u);
    ASSERT_OK((*writer)->abandon());
    EXPECT_EQ(files_below(root_), before);
    EXPECT_EQ(check_all_listed(), 1u);
  }
}

TEST_F(Crash, A7_InTheMiddleOfAPackLeavesNothingListed) {
  ASSERT_OK(back_up(**open(), "a"));
  const auto before = files_below(root_);
  const int status = in_child([&] {
    auto repository = open();
    auto writer = (*repository)->begin_backup("a");
    for (std::uint64_t i = 0; i < 90; ++i) {  // one pack published, the next begun
      if (!(*writer)->append_chunk(random_bytes(1 << 20, i), {})) return 1;
    }
    ::_exit(died_at_step);
  });
  ASSERT_EQ(status, died_at_step);
  auto repository = open();
  auto writer = (*repository)->begin_backup("a");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->cleared().backups.size(), 1u);
  ASSERT_OK((*writer)->abandon());
  EXPECT_EQ(files_below(root_), before);
  EXPECT_EQ(check_all_listed(), 1u);
}

TEST_F(Crash, A7_AfterTheCommitLosesNothing) {
  const int status = in_child([&] { return back_up(**open("head_committed"), "a") ? 0 : 1; });
  ASSERT_EQ(status, died_at_step);
  EXPECT_EQ(check_all_listed(), 1u);
  auto repository = open();
  auto writer = (*repository)->begin_backup("a");
  ASSERT_OK(writer);
  EXPECT_TRUE((*writer)->cleared().backups.empty());
}

TEST_F(Crash, WhileARepositoryIsMadeIsCompletedByTheNextOpen) {
  const int status = in_child([&] { return open("init_directories") ? 0 : 1; });
  ASSERT_EQ(status, died_at_step);
  EXPECT_EQ(Repository::open(root_).error().code, Errc::not_a_repository);
  ASSERT_OK(back_up(**open(), "a"));
  EXPECT_EQ(check_all_listed(), 1u);
}

TEST_F(Crash, BetweenFormatAndItsCopyIsCompletedByTheNextOpenThatMay) {
  const int status = in_child([&] { return open("init_copy") ? 0 : 1; });
  ASSERT_EQ(status, died_at_step);
  {
    const auto reader = Repository::open(root_);
    ASSERT_OK(reader);
    EXPECT_TRUE((*reader)->mark_damage().has_value());
  }
  EXPECT_FALSE(fs::exists(root_ / "FORMAT"));
  ASSERT_OK(back_up(**open(), "a"));
  EXPECT_FALSE((*open())->mark_damage().has_value());
  EXPECT_EQ(read_file(root_ / "FORMAT"), read_file(root_ / "FORMAT.copy"));
  EXPECT_EQ(check_all_listed(), 1u);
}

TEST_F(Crash, WhileABackupIsRemovedIsCompletedByTheNextWriter) {
  const auto kept = back_up(**open(), "a");
  ASSERT_OK(kept);
  const auto before = files_below(root_);
  const auto doomed = back_up(**open(), "a");
  ASSERT_OK(doomed);
  const int status =
      in_child([&] { return (*open("remove_marked"))->remove_backup(doomed->key) ? 0 : 1; });
  ASSERT_EQ(status, died_at_step);
  EXPECT_EQ(check_all_listed(), 1u);
  auto repository = open();
  auto writer = (*repository)->begin_backup("b");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->cleared().backups, (std::vector<BackupKey>{doomed->key}));
  ASSERT_OK((*writer)->abandon());
  EXPECT_EQ(files_below(root_), before);
}

TEST_F(Crash, TemporaryFilesAreClearedAndForeignFilesAreLeft) {
  ASSERT_OK(back_up(**open(), "a"));
  const auto before = files_below(root_);
  const std::string dead = "20200101T000000000Z-00000008";
  fs::create_directories(root_ / "instances/a" / dead);
  write_file(root_ / "packs/08" / (dead + "-00000000"), bytes_of("stale"));
  write_file(root_ / "packs/09" / (".new-" + dead + "-00000001"), bytes_of("stale"));
  write_file(root_ / "tmp/old", bytes_of("stale"));
  fs::create_directories(root_ / "tmp/directory");
  write_file(root_ / "packs/07/notes.txt", bytes_of("not ours"));
  write_file(root_ / "instances/README", bytes_of("not ours"));
  write_file(root_ / "instances/a/20200101T000000000Z-00000009", bytes_of("not a directory"));
  auto repository = open();
  auto writer = (*repository)->begin_backup("a");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->cleared().packs, 2u);
  EXPECT_EQ((*writer)->cleared().bytes, 10u);
  EXPECT_EQ((*writer)->cleared().files, 1u);
  EXPECT_EQ((*writer)->cleared().stray_packs, 0u);
  EXPECT_EQ((*writer)->cleared().backups.size(), 1u) << "the directory without HEAD";
  ASSERT_OK((*writer)->abandon());
  EXPECT_EQ(check_all_listed(), 1u);
  EXPECT_TRUE(fs::exists(root_ / "tmp/directory"));
  for (const char* foreign :
       {"packs/07/notes.txt", "instances/README", "instances/a/20200101T000000000Z-00000009"})
    EXPECT_TRUE(fs::remove(root_ / foreign)) << foreign;
  EXPECT_EQ(files_below(root_), before);
}

TEST_F(Crash, A1_A11_KilledAtAnyMomentLosesNothingThatWasListed) {
  std::mt19937 random(20);
  std::size_t listed = 0;
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    const pid_t child = ::fork();
    if (child == 0) {
      auto repository = open();
      while (repository && back_up(**repository, "a")) {
      }
      ::_exit(1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 300));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::size_t now = check_all_listed();
    EXPECT_GE(now, listed);
    ASSERT_OK(back_up(**open(), "a")) << "works without help";
    listed = now + 1;
    EXPECT_EQ(check_all_listed(), listed);
  }
}

}  // namespace
}  // namespace sluice::storage
