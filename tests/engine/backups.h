#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "rdb_text.h"
#include "sluice/backup.h"
#include "sluice/place.h"

namespace sluice::engine {

/// A key of type string, as tests make them.
struct MadeKey {
  std::string value;
  std::optional<std::int64_t> expire_at_ms = {};
};

/// Keys by database and name, in whichever order the name of a stream says.
using MadeKeys = std::map<std::pair<unsigned, std::string>, MadeKey>;

inline std::string rdb_of(const MadeKeys& keys) {
  std::string body;
  std::optional<unsigned> db;
  for (const auto& [name, made] : keys) {
    if (db != name.first) body += "\xfe" + std::string(1, static_cast<char>(name.first));
    db = name.first;
    if (made.expire_at_ms) body += rdb_expiry(*made.expire_at_ms);
    body += rdb_record(name.second, made.value);
  }
  return rdb_stream(body);
}

/// A folder with a repository and whatever files a test writes; scratch goes there too.
class BackupsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "backups_test_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::filesystem::create_directory(scratch());
    if (const char* before = std::getenv("TMPDIR")) tmpdir_ = before;
    setenv("TMPDIR", scratch().c_str(), 1);
  }
  void TearDown() override {
    if (tmpdir_) {
      setenv("TMPDIR", tmpdir_->c_str(), 1);
    } else {
      unsetenv("TMPDIR");
    }
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::filesystem::path scratch() const { return folder_ / "scratch"; }
  [[nodiscard]] std::string repository(const std::string& name = "repository") const {
    return (folder_ / name).string();
  }

  std::string write_file(std::string_view content) {
    const auto path = folder_ / ("file-" + std::to_string(files_++) + ".rdb");
    std::ofstream file(path, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    return path.string();
  }

  /// Backs an RDB up; gives the id.
  std::string take(std::string_view rdb, BackupLayout layout = BackupLayout::canonical,
                   const std::string& repository_name = "repository") {
    BackupOptions options;
    options.source = write_file(rdb);
    options.repository = repository(repository_name);
    options.instance = "test";
    options.layout = layout;
    const auto taken = backup(options, {});
    EXPECT_TRUE(taken.has_value()) << (taken ? "" : taken.error().message);
    return taken ? taken->id : "";
  }

  [[nodiscard]] Place place(const std::string& name,
                            const std::string& repository_name = "repository") const {
    Place place;
    place.name = name;
    place.repository = repository(repository_name);
    return place;
  }

  std::filesystem::path folder_;
  std::optional<std::string> tmpdir_;
  unsigned files_ = 0;
};

}  // namespace sluice::engine
