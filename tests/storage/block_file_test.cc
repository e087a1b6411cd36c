#include "storage/block_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>

#include "tests/storage/child.h"
#include "tests/storage/faulty_driver.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

class BlockFileOnEachBackend : public testing::TestWithParam<IoBackend> {
 protected:
  void SetUp() override { start({}); }

  void start(std::shared_ptr<Faults> faults) {
    IoOptions io{.backend = GetParam(), .depth = 3, .block_bytes = 4096, .decorate = {}};
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

INSTANTIATE_TEST_SUITE_P(Io, BlockFileOnEachBackend,
                         testing::Values(IoBackend::io_uring, IoBackend::threads),
                         [](const auto& chosen) {
                           return chosen.param == IoBackend::threads ? "threads" : "io_uring";
                         });

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

TEST_P(BlockFileOnEachBackend, WorksWhereNoNamelessFileCanBeMade) {
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
