#include "storage/block_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>

#include "tests/storage/child.h"
#include "tests/storage/faulty_driver.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

struct Variant {
  IoBackend backend;
  bool direct;
};

class BlockFileOnEachBackend : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override { start({}); }

  /// Where the scratch directory has no direct I/O, all is buffered.
  IoOptions options() {
    return {.backend = GetParam().backend,
            .depth = 3,
            .block_bytes = 4096,
            .direct = DirectIo::automatic,
            .direct_is_faster = GetParam().direct,
            .decorate = {}};
  }

  void start(std::shared_ptr<Faults> faults) { start(options(), std::move(faults)); }
  void start(IoOptions io, std::shared_ptr<Faults> faults) {
    if (faults) io.decorate = inject(std::move(faults));
    auto queue = IoQueue::open(io, scratch_.path().string());
    ASSERT_OK(queue);
    queue_ = *std::move(queue);
  }

  std::unique_ptr<BlockFile> create(const std::string& name = "f") {
    auto directory = open_directory(scratch_.path().string());
    auto file = BlockFile::create(*queue_, *std::move(directory), name);
    EXPECT_OK(file);
    return *std::move(file);
  }

  ScratchDirectory scratch_;
  std::unique_ptr<IoQueue> queue_;
};

INSTANTIATE_TEST_SUITE_P(
    Io, BlockFileOnEachBackend,
    testing::Values(Variant{IoBackend::io_uring, false}, Variant{IoBackend::io_uring, true},
                    Variant{IoBackend::threads, false}, Variant{IoBackend::threads, true}),
    [](const auto& chosen) {
      const bool threads = chosen.param.backend == IoBackend::threads;
      return std::string(threads ? "threads" : "io_uring") + (chosen.param.direct ? "_direct" : "");
    });

bool has_direct_io(const std::filesystem::path& path) {
  const Fd file(::open(path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  return file && begin_direct(file) == 4096;
}

TEST_P(BlockFileOnEachBackend, HasItsNameOnlyOnceItIsWhole) {
  const auto content = random_bytes(100'001, 1);
  const auto file = create();
  for (std::size_t at = 0; at < content.size(); at += 777)
    ASSERT_OK(file->append(
        std::span(content).subspan(at, std::min<std::size_t>(777, content.size() - at))));
  EXPECT_TRUE(files_below(scratch_.path()).empty());
  ASSERT_OK(file->finish());
  EXPECT_TRUE(file->published());
  EXPECT_EQ(read_file(scratch_.path() / "f"), content);
  struct stat status{};
  ASSERT_EQ(::stat((scratch_.path() / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0400u);
}

TEST_P(BlockFileOnEachBackend, NeverReplacesAFile) {
  write_file(scratch_.path() / "f", bytes_of("first"));
  const auto file = create();
  ASSERT_OK(file->append(bytes_of("second")));
  const auto result = file->finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, std::errc::file_exists);
  file->abandon();
  EXPECT_EQ(read_file(scratch_.path() / "f"), bytes_of("first"));
}

TEST_P(BlockFileOnEachBackend, LeavesNothingWhenAbandoned) {
  const auto file = create();
  ASSERT_OK(file->append(random_bytes(50'000, 1)));
  file->abandon();
  file->abandon();
  EXPECT_TRUE(files_below(scratch_.path()).empty());
  const auto empty = create();
  ASSERT_OK(empty->finish());
  EXPECT_TRUE(read_file(scratch_.path() / "f").empty());
}

TEST_P(BlockFileOnEachBackend, KeepsTheFirstErrorAndSubmitsNothingAfterIt) {
  auto faults = std::make_shared<Faults>();
  faults->fail_write = 2;
  faults->error = ENOSPC;
  start(faults);
  const auto file = create();
  const auto content = random_bytes(4096, 1);
  Result<void> result;
  for (int i = 0; i < 100 && result; ++i) result = file->append(content);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, std::errc::no_space_on_device);
  EXPECT_EQ(result.error().detail, "pwrite " + (scratch_.path() / "f").string());
  const int writes = faults->writes;
  EXPECT_EQ(file->append(content).error().code, std::errc::no_space_on_device);
  EXPECT_EQ(file->finish().error().code, std::errc::no_space_on_device);
  EXPECT_EQ(faults->writes, writes);
  EXPECT_EQ(faults->syncs, 0);
  file->abandon();
  EXPECT_TRUE(files_below(scratch_.path()).empty());
}

TEST_P(BlockFileOnEachBackend, SyncsOnlyAfterEveryWriteWasReaped) {
  auto faults = std::make_shared<Faults>();
  start(faults);
  const auto file = create();
  ASSERT_OK(file->append(random_bytes(10 * 4096 + 1, 1)));
  EXPECT_EQ(faults->syncs, 0);
  ASSERT_OK(file->finish());
  EXPECT_EQ(faults->writes, 11);
  EXPECT_EQ(faults->syncs, 2) << "the file, then its directory";
}

TEST_P(BlockFileOnEachBackend, HasNoNameAfterAFailedSync) {
  for (const int n : {1, 2}) {
    auto faults = std::make_shared<Faults>();
    faults->fail_sync = n;
    start(faults);
    const auto file = create();
    ASSERT_OK(file->append(bytes_of("hello")));
    EXPECT_EQ(file->finish().error().code, std::errc::io_error);
    EXPECT_FALSE(file->published());
    file->abandon();
    EXPECT_TRUE(files_below(scratch_.path()).empty());
  }
}

TEST_P(BlockFileOnEachBackend, SharesItsQueueWithAnotherFile) {
  const auto one = create("one");
  const auto two = create("two");
  const auto content = random_bytes(9000, 1);
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(one->append(content));
    ASSERT_OK(two->append(content));
  }
  ASSERT_OK(one->begin_finish());
  ASSERT_OK(two->append(content));
  ASSERT_OK(two->finish());
  ASSERT_OK(one->finish());
  EXPECT_EQ(read_file(scratch_.path() / "one").size(), 90'000u);
  EXPECT_EQ(read_file(scratch_.path() / "two").size(), 99'000u);
}

TEST_P(BlockFileOnEachBackend, PassesThePageCacheByWholeBlocksWhenDirect) {
  auto faults = std::make_shared<Faults>();
  start(faults);
  for (const std::size_t size : {0, 1, 4095, 4096, 4097, 50'000}) {
    const std::string name = std::to_string(size);
    const auto content = random_bytes(size, size);
    const auto file = create(name);
    ASSERT_OK(file->append(content));
    ASSERT_OK(file->finish());
    EXPECT_EQ(read_file(scratch_.path() / name), content);
  }
  if (!GetParam().direct) {
    EXPECT_EQ(faults->direct_writes, 0);
  } else if (has_direct_io(scratch_.path())) {
    EXPECT_EQ(faults->direct_writes, faults->writes);
  }
  EXPECT_EQ(faults->unaligned_direct, 0);
}

TEST_P(BlockFileOnEachBackend, ResumesShortDirectWritesAtAWholeBlock) {
  auto faults = std::make_shared<Faults>();
  faults->short_transfers = true;
  auto io = options();
  io.block_bytes = 64 << 10;
  start(io, faults);
  const auto content = random_bytes(300'001, 1);
  const auto file = create();
  ASSERT_OK(file->append(content));
  ASSERT_OK(file->finish());
  EXPECT_EQ(read_file(scratch_.path() / "f"), content);
  EXPECT_EQ(faults->unaligned_direct, 0);
}

TEST_P(BlockFileOnEachBackend, GoesOnBufferedWhereADirectWriteIsRefused) {
  if (!GetParam().direct) return;
  if (!has_direct_io(scratch_.path())) GTEST_SKIP() << "no direct I/O here";
  for (const int n : {1, 2, 7}) {
    auto faults = std::make_shared<Faults>();
    faults->fail_write = n;
    faults->error = EINVAL;
    start(faults);
    const std::string name = std::to_string(n);
    const auto content = random_bytes(100'001, 1);
    const auto file = create(name);
    ASSERT_OK(file->append(content));
    ASSERT_OK(file->finish());
    EXPECT_EQ(read_file(scratch_.path() / name), content);
    EXPECT_LT(faults->direct_writes, faults->writes);
  }
}

TEST_P(BlockFileOnEachBackend, FailsWhereADirectWriteIsRefusedThatWasInsistedOn) {
  if (!has_direct_io(scratch_.path())) GTEST_SKIP() << "no direct I/O here";
  auto faults = std::make_shared<Faults>();
  faults->fail_write = 2;
  faults->error = EINVAL;
  auto io = options();
  io.direct = DirectIo::on;
  start(io, faults);
  const auto file = create();
  (void)file->append(random_bytes(100'001, 1));
  EXPECT_EQ(file->finish().error().code, std::errc::invalid_argument);
  file->abandon();
}

/// Pages of the file that are in the page cache.
std::size_t cached_pages(const std::filesystem::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::size_t size = std::filesystem::file_size(path);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  std::vector<unsigned char> pages((size + 4095) / 4096);
  EXPECT_EQ(::mincore(memory, size, pages.data()), 0);
  ::munmap(memory, size);
  return static_cast<std::size_t>(
      std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
}

TEST_P(BlockFileOnEachBackend, LeavesThePageCacheToOthers) {
  struct statfs system{};
  ASSERT_EQ(::statfs(scratch_.path().c_str(), &system), 0);
  if (system.f_type == 0x01021994) GTEST_SKIP() << "a tmpfs is nothing but page cache";
  auto faults = std::make_shared<Faults>();
  auto io = options();
  io.block_bytes = 1 << 20;
  start(io, faults);
  const auto content = random_bytes(20 << 20, 1);
  const auto file = create();
  ASSERT_OK(file->append(content));
  ASSERT_OK(file->append(content));
  EXPECT_LE(faults->write_backs, 5) << "every 8 MiB";
  if (faults->direct_writes == 0) {
    EXPECT_GE(faults->write_backs, 1);
  }
  ASSERT_OK(file->finish());
  EXPECT_EQ(std::filesystem::file_size(scratch_.path() / "f"), 40u << 20);
  EXPECT_LT(cached_pages(scratch_.path() / "f"), 1024u) << "of 10240";
}

/// From here on this process cannot have direct I/O, as on some network file systems.
bool deny_direct_io() {
  std::array<sock_filter, 8> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fcntl, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETFL, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_DIRECT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  return install_filter(code);
}

TEST_P(BlockFileOnEachBackend, B8_IsBufferedWhereTheFileSystemHasNoDirectIo) {
  queue_.reset();  // a ring must not be taken over a fork
  const int status = in_child([&] {
    if (!deny_direct_io() || has_direct_io(scratch_.path())) return 1;
    auto io = options();
    start(io, {});
    {
      const auto file = create();
      if (!file->append(bytes_of("hello")) || !file->finish()) return 2;
      if (read_file(scratch_.path() / "f") != bytes_of("hello")) return 3;
    }
    io.direct = DirectIo::on;
    start(io, {});
    const auto refused = BlockFile::create(*queue_, *open_directory(scratch_.path().string()), "g");
    if (refused || refused.error().code != std::errc::invalid_argument) return 4;
    return refused.error().detail.contains("O_DIRECT") ? 0 : 5;
  });
  EXPECT_EQ(status, 0);
}

/// From here on this process cannot make nameless files, as on a network file system.
bool deny_nameless_files() {
  constexpr unsigned nameless = O_TMPFILE & ~static_cast<unsigned>(O_DIRECTORY);
  std::array<sock_filter, 6> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, nameless, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  return install_filter(code);
}

TEST_P(BlockFileOnEachBackend, B8_WorksWhereNoNamelessFileCanBeMade) {
  queue_.reset();  // a ring must not be taken over a fork
  const int status = in_child([&] {
    if (!deny_nameless_files()) return 1;
    start({});
    const auto file = create();
    const auto hidden = scratch_.path() / ".new-f";
    if (!file->append(bytes_of("hello")) || !std::filesystem::exists(hidden)) return 2;
    if (!file->finish() || std::filesystem::exists(hidden)) return 3;
    if (read_file(scratch_.path() / "f") != bytes_of("hello")) return 4;
    const auto second = create();
    const auto refused = second->finish();
    if (refused || refused.error().code != std::errc::file_exists) return 5;
    second->abandon();
    return std::filesystem::exists(hidden) ? 6 : 0;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sluice::storage
