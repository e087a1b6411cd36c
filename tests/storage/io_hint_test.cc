#include "storage/io_hint.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "storage/io_trial.h"
#include "storage/repository.h"
#include "tests/storage/faulty_driver.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

IoHint a_hint() {
  return {.direct = true,
          .measured_at_ms = 1'700'000'000'123,
          .direct_mb_s = 812.5,
          .buffered_mb_s = 640,
          .kernel = "6.1.0"};
}

TEST(IoHint, IsReadAsItWasWritten) {
  const ScratchDirectory scratch;
  const auto root = open_directory(scratch.path().string());
  ASSERT_OK(root);
  EXPECT_FALSE(read_io_hint(*root));
  ASSERT_OK(write_io_hint(*root, {}));
  ASSERT_OK(write_io_hint(*root, a_hint()));
  const auto read = read_io_hint(*root);
  ASSERT_TRUE(read);
  EXPECT_EQ(serialize(*read), serialize(a_hint()));
  EXPECT_TRUE(read->direct);
  EXPECT_EQ(read->measured_at_ms, a_hint().measured_at_ms);
  EXPECT_EQ(read->direct_mb_s, 812.5);
  EXPECT_EQ(read->kernel, "6.1.0");
}

TEST(IoHint, IsNoneWithAnyBitFlippedOrCut) {
  const std::string whole = serialize(a_hint());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_FALSE(parse_io_hint(damaged)) << i;
    EXPECT_FALSE(parse_io_hint(std::string_view(whole).substr(0, i))) << i;
  }
}

TEST(IoHint, PrefersDirectUnlessItIsSlower) {
  EXPECT_TRUE(prefers_direct(100, 100));
  EXPECT_TRUE(prefers_direct(96, 100));
  EXPECT_FALSE(prefers_direct(90, 100));
  EXPECT_FALSE(prefers_direct(0, 0)) << "no direct I/O";
}

TEST(IoHint, IsWhatARepositoryGoesBy) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "r";
  const auto opened = [&](OpenOptions options) {
    options.create_if_missing = true;
    auto repository = Repository::open(path, std::move(options));
    EXPECT_OK(repository);
    return (*repository)->io_options().direct_is_faster;
  };
  EXPECT_FALSE(opened({}));
  const auto root = open_directory(path.string());
  ASSERT_OK(write_io_hint(*root, a_hint()));
  EXPECT_TRUE(opened({}));
  write_file(path / "IO", bytes_of("no hint"));
  EXPECT_FALSE(opened({})) << "and opens all the same";
}

TEST(IoHint, HasBackupsWrittenPastThePageCache) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "r";
  const auto root = [&] { return open_directory(path.string()); };
  for (const bool direct : {false, true}) {
    IoHint hint = a_hint();
    hint.direct = direct;
    auto faults = std::make_shared<Faults>();
    OpenOptions options{
        .create_if_missing = true, .io = {.decorate = inject(faults)}, .on_step = {}};
    ASSERT_OK(Repository::open(path, options));
    ASSERT_OK(write_io_hint(*root(), hint));
    const auto repository = Repository::open(path, options);
    ASSERT_OK(repository);
    const auto writer = (*repository)->begin_backup("a");
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->append_chunk(random_bytes(3'000'001, 1), {}));
    const auto committed = (*writer)->commit("{}");
    ASSERT_OK(committed);
    const auto backup = (*repository)->open_backup(committed->key);
    ASSERT_OK(backup);
    const auto checked = (*repository)->check_backup(*backup, [](const Problem& problem) {
      ADD_FAILURE() << to_string(problem.error);
    });
    EXPECT_EQ(checked->problems, 0u);
    const Fd probe(::open(path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    const bool possible = probe && begin_direct(probe) == 4096;
    EXPECT_EQ(faults->direct_writes, direct && possible ? faults->writes : 0);
    EXPECT_EQ(faults->unaligned_direct, 0);
  }
}

TEST(IoTrial, MeasuresEachWay) {
  const ScratchDirectory scratch;
  const auto directory = open_directory(scratch.path().string());
  ASSERT_OK(directory);
  for (const IoBackend backend : {IoBackend::io_uring, IoBackend::threads}) {
    for (const bool direct : {false, true}) {
      const auto trial = try_io(*directory, backend, direct, {.bytes_max = 3 << 20});
      if (direct && !trial) {
        EXPECT_EQ(trial.error().code, std::errc::invalid_argument);
        continue;
      }
      ASSERT_OK(trial);
      EXPECT_GT(trial->write_mb_s, 0);
      EXPECT_GT(trial->read_mb_s, 0);
    }
  }
  const auto sync = try_sync(*directory);
  ASSERT_OK(sync);
  EXPECT_GE(sync->max_ms, sync->median_ms);
  EXPECT_TRUE(files_below(scratch.path()).empty());
}

}  // namespace
}  // namespace sluice::storage
