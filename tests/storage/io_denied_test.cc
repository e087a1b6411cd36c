// io_uring refused for real: a seccomp filter in a child, as a container's profile would do it.

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>

#include "storage/chunk_reader.h"
#include "storage/repository.h"
#include "tests/storage/child.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

/// From here on io_uring_setup answers `error_number` in this process.
bool deny_io_uring(int error_number) {
  const auto answer = SECCOMP_RET_ERRNO | static_cast<unsigned>(error_number);
  std::array<sock_filter, 4> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  return install_filter(code);
}

/// Runs in a child: writes a backup, checks it and reads it back. 0 when all is as it was given,
/// by threads, and the reason was told.
int back_up_without_io_uring(const std::filesystem::path& path, int error_number) {
  if (!deny_io_uring(error_number)) return 10;
  IoOptions io{.direct_is_faster = error_number == ENOSYS, .decorate = {}};
  auto repository = Repository::open(path, {.create_if_missing = true, .io = io, .on_step = {}});
  if (!repository) return 11;
  auto writer = (*repository)->begin_backup("a");
  if (!writer) return 12;
  if ((*writer)->io_kind() != IoKind::threads) return 13;
  if (!(*writer)->io_fallback_reason().contains("seccomp")) return 14;
  constexpr std::uint64_t chunks = 80;  // more than one pack
  for (std::uint64_t i = 0; i < chunks; ++i) {
    if (!(*writer)->append_chunk(random_bytes(1 << 20, i), {})) return 15;
  }
  const auto committed = (*writer)->commit("{}");
  if (!committed || committed->stats.packs < 2) return 16;
  const auto backup = (*repository)->open_backup(committed->key);
  if (!backup) return 17;
  const auto checked = (*repository)->check_backup(*backup, [](const Problem&) {});
  if (!checked || checked->problems > 0 || checked->chunks != chunks) return 21;
  auto reader = ChunkReader::open(**repository, *backup);
  if (!reader) return 18;
  for (std::uint64_t i = 0; i < chunks; ++i) {
    const auto chunk = (*reader)->next();
    if (!chunk || !std::ranges::equal((*chunk)->raw, random_bytes(1 << 20, i))) return 22;
  }
  io.backend = IoBackend::io_uring;
  const auto insisted = IoQueue::open(io, path.string());
  if (insisted || insisted.error().code != Errc::io_unavailable) return 19;
  return insisted.error().detail.contains("seccomp") ? 0 : 20;
}

/// From here on no thread can be started in this process.
bool deny_threads() {
  std::array<sock_filter, 5> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  return install_filter(code);
}

TEST(IoDenied, IsAnErrorWhereNoThreadCanBeStarted) {
  const ScratchDirectory scratch;
  const auto body = [&] {
    if (!deny_threads()) return 1;
    const IoOptions io{.backend = IoBackend::threads, .decorate = {}};
    const auto queue = IoQueue::open(io, scratch.path().string());
    if (queue) return 2;
    return queue.error().code == std::errc::resource_unavailable_try_again ? 0 : 3;
  };
  EXPECT_EQ(in_child(body), 0);
}

TEST(IoDenied, FallsBackToThreadsAndNamesTheCause) {
  for (const int error_number : {EPERM, ENOSYS, EOPNOTSUPP}) {
    const ScratchDirectory scratch;
    const auto body = [&] { return back_up_without_io_uring(scratch.path() / "r", error_number); };
    EXPECT_EQ(in_child(body), 0) << "with errno " << error_number;
  }
}

}  // namespace
}  // namespace sluice::storage
