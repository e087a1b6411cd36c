#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "rdb_text.h"
#include "sluice/backup.h"
#include "sluice/catalog.h"
#include "sluice/verify.h"
#include "storage/repository.h"

namespace sluice::engine {

/// A repository in a folder of its own, and small datasets to fill it with.
class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "verify_test_XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    root_ = folder_ / "repository";
  }
  ~VerifyTest() override { std::filesystem::remove_all(folder_); }

  static std::string key_of(unsigned number) { return "key:" + std::to_string(1000 + number); }

  /// Three databases of `keys` records, and in the first one long value of many bytes that are
  /// few when stored. From one version to the next some of each change.
  static std::string dataset(unsigned version, unsigned keys = 40) {
    std::string body;
    for (unsigned db = 0; db < 3; ++db) {
      body += std::string("\xfe", 1) + static_cast<char>(db);
      for (unsigned i = 0; i < keys; ++i) {
        const unsigned changes = i % 10 == 3 && db < 2 ? version : 0;
        std::mt19937_64 random(db * 1000 + i + changes * 77'777);
        std::string value;
        while (value.size() < 60) value += std::to_string(random());
        body += rdb_record(key_of(i), value);
      }
      if (db == 0) body += rdb_record("long", long_value(version));
    }
    return rdb_stream(body);
  }
  static std::string long_value(unsigned version) {
    std::string value;
    while (value.size() < 1'300'000) value += std::string(50'000, static_cast<char>('a' + version));
    return value.replace(700'000, 5, "edit" + std::to_string(version));
  }

  void write_file(const std::filesystem::path& path, std::string_view bytes) {
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// The id of the new backup.
  std::string store(const std::string& rdb, BackupLayout layout = BackupLayout::canonical) {
    write_file(folder_ / "dump.rdb", rdb);
    BackupOptions options;
    options.source = folder_ / "dump.rdb";
    options.repository = root_.string();
    options.instance = "a";
    options.layout = layout;
    options.memory_bytes = BackupOptions::memory_bytes_min;
    const auto stored = backup(options, {.observer = &notices_, .stop = {}});
    EXPECT_TRUE(stored.has_value()) << stored.error().message;
    return stored ? stored->id : "";
  }

  std::vector<VerifyResult> check(VerifyOptions options = {.repository = {}}) {
    options.repository = root_.string();
    options.tool = "the test";
    auto results = verify(options, {.observer = &notices_, .stop = {}});
    EXPECT_TRUE(results.has_value()) << results.error().message;
    return results ? *std::move(results) : std::vector<VerifyResult>();
  }
  std::vector<VerifyResult> check(VerifyLevel level) {
    VerifyOptions options{.repository = {}};
    options.level = level;
    return check(options);
  }

  std::unique_ptr<storage::Repository> open() {
    auto repository = storage::Repository::open(root_);
    EXPECT_TRUE(repository.has_value()) << repository.error().detail;
    return *std::move(repository);
  }
  storage::Backup opened(const std::string& id) {
    auto stored = open()->open_backup({.instance = "a", .id = id});
    EXPECT_TRUE(stored.has_value()) << stored.error().detail;
    return *std::move(stored);
  }

  /// Flips a bit of the last blob of the chunk.
  void damage_chunk(const std::string& id, std::uint32_t chunk) {
    const auto stored = opened(id);
    const auto& blob = stored.blobs_of(chunk).back();
    const auto path = root_ / storage::Repository::pack_name(stored.packs[blob.pack].id);
    std::string bytes = read_file(path);
    bytes[blob.offset + sizeof(storage::format::BlobHeader) + blob.stored_bytes / 2] ^= 4;
    write_file(path, bytes);
  }

  /// Remembers what it was told.
  class Notices final : public Observer {
   public:
    void on_notice(std::string_view text) override { texts.emplace_back(text); }
    std::vector<std::string> texts;
  };

  std::filesystem::path folder_;
  std::filesystem::path root_;
  Notices notices_;
};

}  // namespace sluice::engine
