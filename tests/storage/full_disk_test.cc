// Rows B5 and B8 of docs/reliability.md on real file systems: a tmpfs that is full at every page
// and at every file, and one that lacks what other file systems lack.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <functional>

#include "storage/directory_store.h"
#include "storage/repository.h"
#include "tests/storage/child.h"
#include "tests/storage/mounts.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t roomy_bytes = 64 << 20;

Result<std::unique_ptr<Repository>> open(const fs::path& path) {
  return Repository::open(path, {.create_if_missing = true,
                                 .io = {.depth = 3, .block_bytes = 4096, .decorate = {}},
                                 .keep_trash = false,  // room must be had back at once
                                 .on_step = {}});
}

Result<CommittedBackup> back_up(const fs::path& path) {
  auto repository = open(path);
  if (!repository) return std::unexpected(repository.error());
  auto writer = (*repository)->begin_backup("a");
  if (!writer) return std::unexpected(writer.error());
  for (std::uint64_t i = 0; i < 5; ++i) {
    if (auto ok = (*writer)->append_chunk(random_bytes(5000, i), {}); !ok)
      return std::unexpected(ok.error());
  }
  return (*writer)->commit("{}");
}

/// How many are listed, all of them whole; -1 when one is not.
int whole_ones(const fs::path& path) {
  const auto repository = open(path);
  if (!repository) return -1;
  const auto listed = (*repository)->list();
  if (!listed) return -1;
  for (const BackupInfo& info : *listed) {
    const auto backup = (*repository)->open_backup(info.key);
    if (info.damage || !backup) return -1;
    const auto checked = (*repository)->check_backup(*backup, [](const Problem&) {});
    if (!checked || checked->problems > 0) return -1;
  }
  return static_cast<int>(listed->size());
}

/// Backs up with more and more room until it works. `give_room(n)` leaves room for n pages or
/// files. Returns the number of times it did not work, or a negative number that tells what went
/// wrong.
int until_it_works(const fs::path& path, const std::function<bool(std::uint64_t)>& give_room,
                   const std::function<bool()>& give_much) {
  for (int n = 0; n < 100; ++n) {
    if (!give_room(static_cast<std::uint64_t>(n))) return -1;
    const auto done = back_up(path);
    if (!done && done.error().code != std::errc::no_space_on_device) return -2;
    if (!give_much()) return -3;
    if (whole_ones(path) != (done ? 2 : 1)) return -4;
    if (done) return n;
    const auto next = back_up(path);  // works without help, and clears what is left
    if (!next) return -5;
    if (!(*open(path))->remove_backup(next->key)) return -6;
  }
  return -7;
}

struct Room {
  std::uint64_t used_bytes = 0;
  std::uint64_t used_files = 0;
};
Room room_of(const fs::path& path) {
  struct statfs facts{};
  (void)::statfs(path.c_str(), &facts);
  const auto block = static_cast<std::uint64_t>(facts.f_bsize);
  return {.used_bytes = (facts.f_blocks - facts.f_bfree) * block,
          .used_files = facts.f_files - facts.f_ffree};
}

/// Runs `until` on a repository with one backup, on a small file system of its own.
template <class Until>
int on_small_file_system(Until until) {
  const ScratchDirectory scratch;
  return in_own_mounts([&] {
    const fs::path place = scratch.path();
    if (!mount_small(place, roomy_bytes, 10'000)) return cannot_mount;
    if (!back_up(place / "r")) return 1;
    const int failures = until(place);
    if (failures < 0) return 10 - failures;
    return failures < 3 ? 2 : 0;  // else the disk was not full where it should have been
  });
}

/// Mutation: the result of a write, of fchmod or of link ignored; BackupWriter that does not
/// abandon after an error; rename_head() by way of a new file.
TEST(Fault, B5_FullDiskForRealAtEveryPage) {
  const int status = on_small_file_system([](const fs::path& place) {
    return until_it_works(
        place / "r",
        [&](std::uint64_t n) {
          return mount_small(place, room_of(place).used_bytes + n * page_bytes, 10'000, MS_REMOUNT);
        },
        [&] { return mount_small(place, roomy_bytes, 10'000, MS_REMOUNT); });
  });
  if (status == cannot_mount) GTEST_SKIP() << "no file system can be mounted here";
  EXPECT_EQ(status, 0);
}

TEST(Fault, B5_FullDiskForRealAtEveryFile) {
  const int status = on_small_file_system([](const fs::path& place) {
    return until_it_works(
        place / "r",
        [&](std::uint64_t n) {
          return mount_small(place, roomy_bytes, room_of(place).used_files + n, MS_REMOUNT);
        },
        [&] { return mount_small(place, roomy_bytes, 10'000, MS_REMOUNT); });
  });
  if (status == cannot_mount) GTEST_SKIP() << "no file system can be mounted here";
  EXPECT_EQ(status, 0);
}

/// From here on this process can have neither direct I/O nor nameless files, nor rename without
/// replacing, nor write-back on demand.
bool deny_what_file_systems_lack() {
  constexpr unsigned nameless = O_TMPFILE & ~static_cast<unsigned>(O_DIRECTORY);
  std::array<sock_filter, 14> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_renameat2, 10, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sync_file_range, 9, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fcntl, 0, 8),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETFL, 0, 6),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_DIRECT, 3, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, nameless, 0, 2),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  return install_filter(code);
}

int use_a_store(const fs::path& path) {
  fs::create_directory(path);
  DirectoryStore store(*open_directory(path.string()));
  const auto put = store.put_if_absent("a/HEAD", "1");
  if (!put || store.put_if_absent("a/HEAD", "2").error().code != Errc::exists) return 11;
  if (!store.put_if_match("a/HEAD", "2", *put)) return 12;
  if (!store.move("a/HEAD", "b/HEAD") || store.get("b/HEAD", 10)->bytes != "2") return 13;
  if (!store.put_if_absent("a/HEAD", "3")) return 14;
  if (store.move("a/HEAD", "b/HEAD").error().code != Errc::exists) return 15;
  return files_below(path).size() == 2 ? 0 : 16;
}

/// Mutation: the other way of open_new(), create_text(), rename_temporary() or
/// rename_exclusively().
TEST(Fault, B8_FileSystemsThatLackWhatOthersHave) {
  const ScratchDirectory scratch;
  const int status = in_child([&] {
    if (!deny_what_file_systems_lack()) return 1;
    const Fd nameless(::open(scratch.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (nameless || errno != EOPNOTSUPP) return 2;
    const fs::path root = scratch.path() / "r";
    const auto first = back_up(root);
    if (!first) return 3;
    if (!back_up(root)) return 4;
    if (whole_ones(root) != 2) return 5;
    const auto with_trash = Repository::open(root);
    if (!(*with_trash)->remove_backup(first->key) || whole_ones(root) != 1) return 6;
    if (!(*with_trash)->restore_from_trash(first->key) || whole_ones(root) != 2) return 7;
    if (!(*open(root))->remove_backup(first->key) || whole_ones(root) != 1) return 8;
    return use_a_store(scratch.path() / "s");
  });
  EXPECT_EQ(status, 0);
}

TEST(Fault, B8_OnATmpfs) {
  const ScratchDirectory scratch(memory_directory());
  ASSERT_OK(back_up(scratch.path() / "r"));
  ASSERT_OK(back_up(scratch.path() / "r"));
  EXPECT_EQ(whole_ones(scratch.path() / "r"), 2);
}

/// Signals that interrupt whatever call can be interrupted, a thousand times a second.
/// Mutation: any of the EINTR in file.cc, file_lock.cc, io_queue.cc.
TEST(Fault, B7_SignalsAllTheTime) {
  const ScratchDirectory scratch;
  const int status = in_child([&] {
    struct sigaction action{};  // without SA_RESTART
    action.sa_handler = [](int) {};
    const itimerval often{.it_interval = {.tv_sec = 0, .tv_usec = 1000},
                          .it_value = {.tv_sec = 0, .tv_usec = 1000}};
    if (::sigaction(SIGALRM, &action, nullptr) != 0 ||
        ::setitimer(ITIMER_REAL, &often, nullptr) != 0)
      return 1;
    for (int n = 0; n < 20; ++n) {
      if (!back_up(scratch.path() / "r")) return 2;
    }
    return whole_ones(scratch.path() / "r") == 20 ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sluice::storage
