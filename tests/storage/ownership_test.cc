// Whose a pack, a lock and a commit is: what lives, was committed, copied or moved away is never
// cleared as if it were a dead writer's.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

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

class Ownership : public Crash {};

TEST_F(Ownership, PacksOfABackupWhoseDirectoryWasMovedAwayAreLeftAndCounted) {
  ASSERT_OK(back_up(**open(), "a"));
  write_file(root_ / "packs/07/.new-20200101T000000000Z-00000007-00000000", bytes_of("stray"));
  const auto before = files_below(root_);
  fs::rename(root_ / "instances/a", scratch_.path() / "a");
  auto repository = open();
  auto writer = (*repository)->begin_backup("b");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->cleared().stray_packs, 2u);
  EXPECT_EQ((*writer)->cleared().packs, 0u);
  ASSERT_OK((*writer)->abandon());
  fs::rename(scratch_.path() / "a", root_ / "instances/a");
  EXPECT_EQ(files_below(root_), before);
  EXPECT_EQ(check_all_listed(), 1u);
}

TEST_F(Ownership, ACopyOfABackupUnderAnotherInstanceGoesWithoutThePacks) {
  const auto kept = back_up(**open(), "a");
  ASSERT_OK(kept);
  const auto before = files_below(root_);
  const fs::path original = root_ / "instances/a" / kept->key.id;
  const fs::path copy = root_ / "instances/b" / kept->key.id;
  fs::create_directories(copy);  // the copying was interrupted
  {
    auto repository = open();
    auto writer = (*repository)->begin_backup("c");
    ASSERT_OK(writer);
    EXPECT_EQ((*writer)->cleared().backups.size(), 1u);
    EXPECT_EQ((*writer)->cleared().packs, 0u);
  }
  EXPECT_FALSE(fs::exists(copy));
  EXPECT_EQ(check_all_listed(), 1u);
  fs::copy(original, copy);  // the copying was done
  ASSERT_OK((*open())->remove_backup({.instance = "b", .id = kept->key.id}));
  EXPECT_FALSE(fs::exists(copy));
  EXPECT_EQ(check_all_listed(), 1u);
  EXPECT_EQ(files_below(root_), before);
}

TEST_F(Ownership, PacksGoWithTheLastDirectoryOfTheirId) {
  ASSERT_OK(open());
  const auto before = files_below(root_);
  const auto doomed = back_up(**open(), "a");
  ASSERT_OK(doomed);
  const fs::path copy = root_ / "instances/b" / doomed->key.id;
  fs::create_directories(copy);
  fs::copy(root_ / "instances/a" / doomed->key.id, copy);
  ASSERT_OK((*open())->remove_backup(doomed->key));
  EXPECT_FALSE(fs::is_empty(copy));
  ASSERT_OK((*open())->remove_backup({.instance = "b", .id = doomed->key.id}));
  EXPECT_EQ(files_below(root_), before);
}

TEST_F(Ownership, ABackupThatIsCommittedWhileItsLockIsWaitedForStays) {
  std::promise<void> before_commit;
  OpenOptions options{.create_if_missing = true, .io = {.decorate = {}}, .on_step = {}};
  options.on_step = [&](std::string_view step) {
    if (step != "before_commit") return;
    before_commit.set_value();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  };
  auto repository = Repository::open(root_, options);
  ASSERT_OK(repository);
  std::thread writing([&] { EXPECT_OK(back_up(**repository, "a")); });
  before_commit.get_future().wait();
  {
    auto other = open();
    auto writer = (*other)->begin_backup("a");  // reads HEAD as running, then waits for the lock
    EXPECT_OK(writer);
    EXPECT_TRUE(writer && (*writer)->cleared().backups.empty());
    EXPECT_TRUE(writer && (*writer)->cleared().packs == 0);
  }
  writing.join();
  EXPECT_EQ(check_all_listed(), 1u);
}

TEST_F(Ownership, HeadIsReadAgainUnderTheLockThoughTheLockFileStays) {
  const int status = in_child([&] { return back_up(**open("before_commit"), "a") ? 0 : 1; });
  ASSERT_EQ(status, died_at_step);
  const fs::path folder = fs::directory_iterator(root_ / "instances/a")->path();
  const auto text = read_file(folder / "HEAD");
  auto head = parse_head({reinterpret_cast<const char*>(text.data()), text.size()}, "HEAD");
  ASSERT_OK(head);
  const auto manifest = read_file(folder / "manifest");
  std::ranges::copy(std::span(manifest).last(16), head->manifest_digest.begin());
  head->state = HeadState::committed;
  ++head->generation;
  const auto directory = open_directory(folder.string());
  std::optional lock = *FileLock::acquire(*directory, "LOCK", std::chrono::milliseconds(1000));
  std::thread committing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_OK(replace_text(*directory, "HEAD", serialize(*head)));
    lock.reset();
  });
  {
    auto repository = open();
    auto writer = (*repository)->begin_backup("a");
    EXPECT_OK(writer);
    EXPECT_TRUE(writer && (*writer)->cleared().backups.empty());
  }
  committing.join();
  EXPECT_EQ(check_all_listed(), 1u);
}

TEST_F(Ownership, AnAbandonThatFailsHasUnlistedTheBackupAndCanBeTriedAgain) {
  auto repository = open();
  const auto before = files_below(root_);
  auto writer = (*repository)->begin_backup("a");
  ASSERT_OK(writer);
  ASSERT_OK((*writer)->append_chunk(random_bytes(100'000, 1), {}));
  fs::remove(root_ / "LOCK");
  fs::create_directory(root_ / "LOCK");
  EXPECT_FALSE((*writer)->abandon());
  EXPECT_FALSE((*writer)->abandon()) << "still not done";
  EXPECT_EQ((*writer)->append_chunk({}, {}).error().code, Errc::finished);
  EXPECT_TRUE(fs::exists(root_ / "instances/a" / (*writer)->key().id / "HEAD.removed"));
  fs::remove(root_ / "LOCK");
  EXPECT_OK((*writer)->abandon());
  EXPECT_EQ(files_below(root_), before);
  EXPECT_OK((*writer)->abandon());
}

TEST_F(Ownership, AMarkAsRemovedCountsMoreThanAHead) {
  const auto committed = back_up(**open(), "a");
  ASSERT_OK(committed);
  write_file(root_ / "instances/a" / committed->key.id / "HEAD.removed", {});
  auto repository = open();
  EXPECT_TRUE((*repository)->list()->empty());
  EXPECT_EQ((*repository)->open_backup(committed->key).error().code, Errc::not_found);
  auto writer = (*repository)->begin_backup("b");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->cleared().backups, (std::vector<BackupKey>{committed->key}));
  EXPECT_EQ((*writer)->cleared().packs, 1u);
}

/// Marks the fsync that the handler below makes itself, which the filter lets through.
constexpr long own_fsync = 0x51;

/// Answers a trapped fsync: EIO for a directory, what the system says for anything else.
void fail_fsync_of_directories(int /*signal*/, siginfo_t* /*info*/, void* context) {
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  auto& result = registers.gregs[REG_RAX];
  const long descriptor = registers.gregs[REG_RDI];
#elif defined(__aarch64__)
  auto& result = registers.regs[0];
  const auto descriptor = static_cast<long>(registers.regs[0]);
#endif
  struct stat found{};
  if (::fstat(static_cast<int>(descriptor), &found) == 0 && S_ISDIR(found.st_mode)) {
    result = -EIO;
    return;
  }
  const int before = errno;
  result = ::syscall(SYS_fsync, descriptor, 0, 0, 0, 0, own_fsync) == 0 ? 0 : -errno;
  errno = before;
}

/// From here on fsync of a directory fails in this thread.
bool deny_fsync_of_directories() {
  struct sigaction action{};
  action.sa_sigaction = fail_fsync_of_directories;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGSYS, &action, nullptr) != 0) return false;
  std::array<sock_filter, 6> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fsync, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[5])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own_fsync, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  return install_filter(code);
}

TEST_F(Ownership, ACommitThatFailsAfterTheRenameOfHeadIsUnlistedAgain) {
  ASSERT_OK(open());
  const int status = in_child([&] {
    OpenOptions options{.create_if_missing = true,
                        .io = {.backend = IoBackend::threads, .decorate = {}},
                        .on_step = {}};
    options.on_step = [](std::string_view step) {
      // What is left of the commit is HEAD: its file is written, synced and renamed, and the
      // directory is synced. Who gives up syncs that directory first of all.
      if (step == "manifest_published" && !deny_fsync_of_directories()) ::_exit(1);
    };
    auto repository = Repository::open(root_, options);
    if (!repository) return 2;
    auto writer = (*repository)->begin_backup("a");
    if (!writer || !(*writer)->append_chunk(random_bytes(1000, 1), {})) return 3;
    const auto committed = (*writer)->commit("{}");
    if (committed || committed.error().code != std::errc::io_error) return 4;
    if ((*repository)->list()->size() != 1) return 5;  // HEAD has its name already
    if ((*writer)->abandon()) return 6;                // cannot sync that directory either
    ::_exit((*repository)->list()->empty() ? 0 : 7);
  });
  ASSERT_EQ(status, 0);
  EXPECT_EQ(check_all_listed(), 0u);
  auto repository = open();
  auto writer = (*repository)->begin_backup("a");
  ASSERT_OK(writer);
  EXPECT_EQ((*writer)->cleared().backups.size(), 1u);
  EXPECT_EQ((*writer)->cleared().packs, 1u);
}

TEST_F(Ownership, TwoInstancesAreBackedUpAtOnce) {
  auto repository = open();
  auto first = (*repository)->begin_backup("a");
  ASSERT_OK(first);
  ASSERT_OK((*first)->append_chunk(random_bytes(100'000, 1), {}));
  auto second = (*repository)->begin_backup("b");
  ASSERT_OK(second);
  EXPECT_TRUE((*second)->cleared().backups.empty());
  ASSERT_OK((*second)->append_chunk(random_bytes(100'000, 2), {}));
  ASSERT_OK((*first)->commit("{}"));
  ASSERT_OK((*second)->commit("{}"));
  EXPECT_EQ(check_all_listed(), 2u);
}

TEST_F(Ownership, ASecondBackupOfTheSameInstanceIsRefusedWhileTheFirstLives) {
  auto repository = open();
  auto first = (*repository)->begin_backup("a");
  ASSERT_OK(first);
  const int status = in_child([&] {
    auto other = open();
    const auto second = (*other)->begin_backup("a");
    if (second || second.error().code != Errc::busy) return 1;
    return second.error().detail.contains("pid " + std::to_string(::getppid()) + " on ") ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ((*repository)->remove_backup((*first)->key()).error().code, Errc::busy);
  ASSERT_OK((*first)->commit("{}"));
  ASSERT_OK((*repository)->begin_backup("a"));
}

TEST_F(Ownership, AWriterThatWasTakenOverDoesNotCommit) {
  auto repository = open();
  auto writer = (*repository)->begin_backup("a");
  ASSERT_OK(writer);
  fs::remove(root_ / "instances/a" / (*writer)->key().id / "HEAD");
  EXPECT_EQ((*writer)->commit("{}").error().code, Errc::fenced);
  EXPECT_EQ((*writer)->commit("{}").error().code, Errc::fenced) << "errors are sticky";
}

}  // namespace
}  // namespace sluice::storage
