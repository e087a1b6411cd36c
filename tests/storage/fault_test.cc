// Disks that fail: an error at any write or sync of a backup, and nothing of it is ever listed.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <set>

#include "storage/chunk_reader.h"
#include "storage/file.h"
#include "storage/repository.h"
#include "tests/storage/faulty_driver.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

class FaultOnEachBackend : public testing::TestWithParam<IoBackend> {
 protected:
  FaultOnEachBackend() {
    auto opened = open({});
    EXPECT_OK(back_up(*opened));  // one that must stay
  }

  std::unique_ptr<Repository> open(std::shared_ptr<Faults> faults,
                                   IoOptions io = {.block_bytes = 4096, .decorate = {}}) {
    io.backend = GetParam();
    io.depth = 3;
    if (faults) io.decorate = inject(std::move(faults));
    auto repository =
        Repository::open(scratch_.path() / "r",
                         {.create_if_missing = true, .io = io, .keep_trash = false, .on_step = {}});
    EXPECT_OK(repository);
    return *std::move(repository);
  }

  static Result<CommittedBackup> back_up(Repository& repository) {
    auto writer = repository.begin_backup("a");
    if (!writer) return std::unexpected(writer.error());
    for (std::uint64_t i = 0; i < 5; ++i) {
      if (auto ok = (*writer)->append_chunk(random_bytes(5000, i), {}); !ok)
        return std::unexpected(ok.error());
    }
    return (*writer)->commit("{}");
  }

  /// Of the five chunks of back_up(), these cannot be read, and all others can.
  static void expect_lost(const Repository& repository, const Backup& backup,
                          const std::set<std::uint64_t>& lost) {
    auto reader = ChunkReader::open(repository, backup);
    ASSERT_OK(reader);
    for (std::uint64_t i = 0; i < 5; ++i) {
      SCOPED_TRACE(i);
      const auto chunk = (*reader)->next();
      if (lost.contains(i)) {
        ASSERT_FALSE(chunk);
        EXPECT_EQ(chunk.error().code, std::errc::io_error);
        EXPECT_NE(chunk.error().detail.find("chunk " + std::to_string(i)), std::string::npos);
      } else {
        ASSERT_OK(chunk);
        EXPECT_TRUE(std::ranges::equal((*chunk)->raw, random_bytes(5000, i)));
      }
    }
  }

  static bool is_same(const std::filesystem::path& path, const Fd& file) {
    struct stat named{};
    struct stat open{};
    EXPECT_EQ(::stat(path.c_str(), &named), 0);
    EXPECT_EQ(::fstat(file.get(), &open), 0);
    return named.st_ino == open.st_ino;
  }

  /// Only the first backup is listed, it is whole, and nothing else is left.
  void expect_only_the_first() {
    const auto repository = open({});
    const auto listed = repository->list();
    ASSERT_OK(listed);
    ASSERT_EQ(listed->size(), 1u);
    const auto backup = repository->open_backup(listed->front().key);
    ASSERT_OK(backup);
    EXPECT_EQ(repository->check_backup(*backup, [](const Problem&) {})->problems, 0u);
    EXPECT_EQ(files_below(scratch_.path()).size(), 6u)
        << "FORMAT and copy, HEAD, 2 manifests, 1 pack";
  }

  ScratchDirectory scratch_;
};

INSTANTIATE_TEST_SUITE_P(Io, FaultOnEachBackend,
                         testing::Values(IoBackend::io_uring, IoBackend::threads),
                         [](const auto& chosen) {
                           return chosen.param == IoBackend::threads ? "threads" : "io_uring";
                         });

/// Mutation: IoQueue::settle() that takes a failed write for a whole one; commit() after an error.
TEST_P(FaultOnEachBackend, B3_B5_ABadOrFullDiskAtAnyWriteListsNothingAndLeavesNothing) {
  for (const int error : {ENOSPC, EDQUOT, EIO}) {
    for (int n = 1;; ++n) {
      SCOPED_TRACE(std::to_string(n) + ", errno " + std::to_string(error));
      auto faults = std::make_shared<Faults>();
      faults->fail_write = n;
      faults->error = error;
      const auto result = back_up(*open(faults));
      if (faults->writes < n) {
        ASSERT_OK(result);
        EXPECT_GT(n, 6) << "blocks of the pack, both manifests";
        ASSERT_OK(open({})->remove_backup(result->key));
        break;
      }
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code, std::error_code(error, std::system_category()));
      EXPECT_NE(result.error().detail.find(scratch_.path().string()), std::string::npos);
      expect_only_the_first();
    }
  }
}

/// Mutation: BlockFile::survive() that syncs the same file again.
TEST_P(FaultOnEachBackend, B4_AFailedSyncOfDataIsSurvivedByWritingItAgain) {
  for (const int n : {1, 2, 3}) {  // pack, manifest and copy
    SCOPED_TRACE(n);
    auto faults = std::make_shared<Faults>();
    faults->fail_data_sync = n;
    const auto repository = open(faults);
    const auto result = back_up(*repository);
    ASSERT_OK(result);
    EXPECT_EQ(faults->data_syncs, 4);
    EXPECT_EQ(result->stats.rewritten_files, 1u);
    const auto backup = repository->open_backup(result->key);
    ASSERT_OK(backup);
    EXPECT_FALSE(backup->manifest_damage.has_value());
    const auto checked = repository->check_backup(
        *backup, [](const Problem& problem) { ADD_FAILURE() << to_string(problem.error); });
    EXPECT_EQ(checked->problems, 0u);
    ASSERT_EQ(faults->unsynced_files.size(), 1u);
    for (const auto& file : files_below(scratch_.path())) {
      EXPECT_FALSE(file.filename().string().starts_with(".new-")) << file;
      EXPECT_FALSE(is_same(file, faults->unsynced_files[0])) << file << " was only synced again";
    }
    ASSERT_OK(repository->remove_backup(result->key));
    expect_only_the_first();
  }
}

/// Mutation: a second failed sync taken for a success.
TEST_P(FaultOnEachBackend, B4_ASyncThatFailsTwiceListsNothingAndLeavesNothing) {
  for (const int n : {1, 2}) {
    SCOPED_TRACE(n);
    auto faults = std::make_shared<Faults>();
    faults->fail_data_sync = n;
    faults->data_sync_failures = 2;
    const auto result = back_up(*open(faults));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, std::errc::io_error);
    EXPECT_NE(result.error().detail.find("fdatasync"), std::string::npos) << result.error().detail;
    expect_only_the_first();
  }
}

/// Mutation: the result of the sync of a directory ignored.
TEST_P(FaultOnEachBackend, B4_AFailedSyncOfADirectoryListsNothingAndLeavesNothing) {
  for (const int n : {1, 2, 3}) {
    SCOPED_TRACE(n);
    auto faults = std::make_shared<Faults>();
    faults->fail_directory_sync = n;
    const auto result = back_up(*open(faults));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, std::errc::io_error);
    EXPECT_NE(result.error().detail.find("directory"), std::string::npos);
    expect_only_the_first();
  }
}

/// Mutation: the resumption of short writes, or the retry after EINTR, in IoQueue.
TEST_P(FaultOnEachBackend, B7_ShortAndInterruptedWritesChangeNothing) {
  auto faults = std::make_shared<Faults>();
  faults->short_transfers = true;
  faults->interrupt_every = 3;
  const auto repository = open(faults);
  const auto committed = back_up(*repository);
  ASSERT_OK(committed);
  const auto backup = repository->open_backup(committed->key);
  ASSERT_OK(backup);
  const auto checked = repository->check_backup(
      *backup, [](const Problem& problem) { ADD_FAILURE() << to_string(problem.error); });
  EXPECT_EQ(checked->problems, 0u);
}

/// Mutation: the single read of each blob after a read ahead failed.
TEST_P(FaultOnEachBackend, B3_C10_ABadSectorCostsTheChunksItHitsAndNoOther) {
  for (const bool direct : {false, true}) {
    for (const std::size_t block_bytes : {4096, 1 << 20}) {
      SCOPED_TRACE(std::to_string(block_bytes) + (direct ? " direct" : ""));
      auto faults = std::make_shared<Faults>();
      const auto repository =
          open(faults, {.block_bytes = block_bytes, .direct_reads = direct, .decorate = {}});
      const auto listed = repository->list();
      const auto backup = repository->open_backup(listed->front().key);
      ASSERT_OK(backup);
      faults->bad_byte = 10'000;  // its sector, bytes 8192 to 12288, has some of chunks 1 and 2
      expect_lost(*repository, *backup, {1, 2});
      EXPECT_EQ(faults->unaligned_direct, 0);
    }
  }
}

TEST_P(FaultOnEachBackend, B3_AReadErrorThatGoesAwayCostsNothing) {
  auto faults = std::make_shared<Faults>();
  const auto repository = open(faults);
  const auto listed = repository->list();
  const auto backup = repository->open_backup(listed->front().key);
  ASSERT_OK(backup);
  faults->fail_read = 3;
  expect_lost(*repository, *backup, {});
  EXPECT_GT(faults->reads, 3);
}

TEST_P(FaultOnEachBackend, ReadsPastThePageCacheWhereThatIsWanted) {
  auto faults = std::make_shared<Faults>();
  const auto repository = open(faults, {.direct_reads = true, .decorate = {}});
  const auto listed = repository->list();
  const auto backup = repository->open_backup(listed->front().key);
  ASSERT_OK(backup);
  const auto checked = repository->check_backup(
      *backup, [](const Problem& problem) { ADD_FAILURE() << to_string(problem.error); });
  EXPECT_EQ(checked->problems, 0u);
  expect_lost(*repository, *backup, {});
  const Fd probe(::open(scratch_.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (begin_direct(probe) == 4096) {
    EXPECT_EQ(faults->direct_reads, faults->reads);
  }
  EXPECT_GT(faults->reads, 0);
}

}  // namespace
}  // namespace sluice::storage
