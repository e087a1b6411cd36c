#include "storage/file_rewrite.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/block_file.h"
#include "storage/checksum.h"
#include "tests/storage/faulty_driver.h"
#include "tests/storage/scratch.h"

namespace sluice::storage {
namespace {

/// Bytes that end with the digest of those before it, as packs and manifests do.
std::vector<std::byte> sealed_bytes(std::size_t size) {
  auto bytes = random_bytes(size, size);
  const auto digest = xxh3_128(bytes);
  bytes.insert(bytes.end(), digest.begin(), digest.end());
  return bytes;
}

format::Digest digest_of(std::span<const std::byte> sealed) {
  return xxh3_128(sealed.first(sealed.size() - sizeof(format::Digest)));
}

class FileRewrite : public testing::Test {
 protected:
  Result<RewrittenFile> rewrite(std::span<const std::byte> on_disk,
                                std::span<const std::byte> written) {
    write_file(scratch_.path() / "old", on_disk);
    const auto old = open_for_reading(directory_, "old");
    EXPECT_OK(old);
    return rewrite_file(*old, directory_, "new", written.size(), digest_of(written));
  }
  static std::vector<std::byte> content(const Fd& file, std::size_t size) {
    std::vector<std::byte> bytes(size);
    EXPECT_OK(read_exactly(file, bytes, 0, "copy"));
    return bytes;
  }

  ScratchDirectory scratch_;
  Directory directory_ = *open_directory(scratch_.path().string());
};

TEST_F(FileRewrite, CopiesWhatReadsBackAsItWasWritten) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, (std::size_t{1} << 20) - 16, (std::size_t{1} << 20) - 8,
        std::size_t{1} << 20, std::size_t{5'000'000}}) {
    const auto bytes = sealed_bytes(size);
    const auto copy = rewrite(bytes, bytes);
    ASSERT_OK(copy);
    EXPECT_EQ(*size_of(copy->file, "copy"), bytes.size());
    EXPECT_EQ(content(copy->file, bytes.size()), bytes);
    struct stat status{};
    ASSERT_EQ(::fstat(copy->file.get(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0400U);
  }
}

TEST_F(FileRewrite, RefusesWhatTheKernelLostOrChanged) {
  const auto bytes = sealed_bytes(3'000'000);
  for (const std::size_t at : {std::size_t{0}, std::size_t{2'000'000}, bytes.size() - 1}) {
    auto bad = bytes;
    bad[at] ^= std::byte{1};
    EXPECT_EQ(rewrite(bad, bytes).error().code, Errc::checksum_mismatch) << at;
  }
  EXPECT_EQ(rewrite(std::span(bytes).first(bytes.size() - 1), bytes).error().code, Errc::truncated);
  const auto other = sealed_bytes(3'000'001);
  EXPECT_EQ(rewrite(other, bytes).error().code, Errc::checksum_mismatch)
      << "whole in itself, but not what was written";
}

TEST_F(FileRewrite, MakesABlockFileSurviveOneFailedSyncButNotTwo) {
  const auto bytes = sealed_bytes(100'000);
  for (const int failures : {1, 2}) {
    auto faults = std::make_shared<Faults>();
    faults->fail_data_sync = 1;
    faults->data_sync_failures = failures;
    auto queue = IoQueue::open({.backend = IoBackend::threads,
                                .depth = 4,
                                .block_bytes = 4096,
                                .decorate = inject(faults)},
                               scratch_.path().string());
    ASSERT_OK(queue);
    auto file = BlockFile::create(**queue, *open_directory(scratch_.path().string()), "f");
    ASSERT_OK(file);
    ASSERT_OK((*file)->append(bytes));
    ASSERT_OK((*file)->begin_finish(digest_of(bytes)));
    const auto finished = (*file)->finish();
    EXPECT_EQ(finished.has_value(), failures == 1);
    EXPECT_EQ((*file)->published(), failures == 1);
    EXPECT_TRUE((*file)->rewritten());
    (*file)->abandon();
    if (failures == 1) {
      EXPECT_EQ(read_file(scratch_.path() / "f"), bytes);
      std::filesystem::remove(scratch_.path() / "f");
    }
    EXPECT_TRUE(files_below(scratch_.path()).empty());
  }
}

}  // namespace
}  // namespace sluice::storage
