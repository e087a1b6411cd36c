#include "engine/stream_ingest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "rdb_text.h"
#include "storage/chunk_reader.h"
#include "storage/repository.h"

namespace sluice::engine {
namespace {

/// A repository in a folder of its own.
class StreamIngestTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ingest_test_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto opened =
        storage::Repository::open(folder_, {.create_if_missing = true, .io = {}, .on_step = {}});
    ASSERT_TRUE(opened.has_value()) << opened.error().detail;
    repository_ = std::move(*opened);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<storage::BackupWriter> begin() {
    auto writer = repository_->begin_backup("test");
    EXPECT_TRUE(writer.has_value());
    return std::move(*writer);
  }

  /// The chunks of a committed backup put together; checks that each starts where it says.
  std::string read_back(const storage::BackupKey& key) {
    const auto backup = repository_->open_backup(key);
    EXPECT_TRUE(backup.has_value());
    auto reader = storage::ChunkReader::open(*repository_, *backup);
    EXPECT_TRUE(reader.has_value());
    std::string all;
    while (true) {
      const auto chunk = (*reader)->next();
      EXPECT_TRUE(chunk.has_value());
      if (!chunk || !*chunk) return all;
      EXPECT_EQ((*chunk)->raw_offset, all.size());
      EXPECT_LE((*chunk)->raw.size(), ChunkCutter::max_bytes);
      all.append(reinterpret_cast<const char*>((*chunk)->raw.data()), (*chunk)->raw.size());
    }
  }

  std::filesystem::path folder_;
  std::unique_ptr<storage::Repository> repository_;
};

TEST_F(StreamIngestTest, StoresTheStreamByteForByteHoweverItIsFed) {
  const std::string rdb = rdb_stream(
      rdb_record("a", std::string(300'000, 'a')) + rdb_record("long", std::string(3'000'000, 'b')) +
      rdb_record("c", std::string(90'000, 'c')) + rdb_record("d", std::string(1'040'000, 'd')));
  for (const std::size_t step : {std::size_t{7'919}, std::size_t{1} << 20, rdb.size()}) {
    auto writer = begin();
    StreamIngest ingest(*writer, {}, "test");
    for (std::size_t at = 0; at < rdb.size(); at += step) {
      const auto fed = ingest.feed(bytes(std::string_view(rdb).substr(at, step)));
      ASSERT_TRUE(fed.has_value()) << fed.error().message;
    }
    ASSERT_TRUE(ingest.finish({}, {}).has_value());
    EXPECT_EQ(ingest.facts().keys(), 4u);
    const std::vector<LongValue> long_values{{.record = 1, .value_bytes = 3'000'005}};
    EXPECT_EQ(ingest.facts().long_values(), long_values);
    const auto committed = writer->commit("{}");
    ASSERT_TRUE(committed.has_value());
    EXPECT_EQ(read_back(committed->key), rdb) << "fed " << step << " bytes at a time";
  }
}

TEST_F(StreamIngestTest, LeavesOutWhatFollowsTheEnd) {
  const std::string rdb = rdb_stream(rdb_record("k", "v"));
  auto writer = begin();
  StreamIngest ingest(*writer, {}, "test");
  ASSERT_TRUE(ingest.feed(bytes(rdb + "*1\r\n")).has_value());
  ASSERT_TRUE(ingest.feed(bytes("$4\r\nPING\r\n")).has_value());
  ASSERT_TRUE(ingest.finish({}, {}).has_value());
  EXPECT_EQ(ingest.trailing_bytes(), 14u);
  EXPECT_EQ(read_back(writer->commit("{}")->key), rdb);
}

TEST_F(StreamIngestTest, RefusesAStreamThatEndsEarlyOrIsDamaged) {
  const std::string rdb = rdb_stream(rdb_record("k", "v"));
  {
    auto writer = begin();
    StreamIngest ingest(*writer, {}, "the snapshot");
    ASSERT_TRUE(ingest.feed(bytes(std::string_view(rdb).substr(0, rdb.size() - 1))).has_value());
    const auto ended = ingest.finish({}, {});
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().code, "truncated");
  }
  std::string damaged = rdb;
  damaged[rdb.size() - 10] ^= 1;  // the value: only the checksum can tell
  auto writer = begin();
  StreamIngest ingest(*writer, {}, "the snapshot");
  const auto fed = ingest.feed(bytes(damaged));
  ASSERT_FALSE(fed.has_value());
  EXPECT_EQ(fed.error().code, "checksum_mismatch");
  EXPECT_TRUE(fed.error().message.starts_with("the snapshot: "));
  writer.reset();
  EXPECT_TRUE(repository_->list()->empty());
}

}  // namespace
}  // namespace sluice::engine
