#include <random>

#include "backups.h"
#include "sluice/export.h"
#include "sluice/rdb_export.h"

namespace sluice::engine {
namespace {

class GetTest : public BackupsTest {
 protected:
  /// The string, or the code of the error.
  std::string get(const std::string& backup, const std::string& key,
                  std::optional<std::uint64_t> db = {}) {
    const auto output = folder_ / "output";
    const auto got = get_key({.place = place(backup),
                              .key = key,
                              .db = db,
                              .format = ValueFormat::raw,
                              .output = output.string()},
                             {});
    if (!got) return got.error().code;
    return read_file(output);
  }

  static std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

TEST_F(GetTest, FindsEveryKeyAndNoOther) {
  std::mt19937_64 random(1);
  MadeKeys keys;
  for (int i = 0; i < 4000; ++i) {
    std::string key = std::to_string(random() % 100'000) + std::string(1, static_cast<char>(i));
    keys[{random() % 2 * 5, key}].value = std::string(200, 'v') + std::to_string(i);
  }
  keys[{0, ""}].value = "of the empty key";
  const std::string backup = take(rdb_of(keys));
  int looked = 0;
  for (const auto& [name, made] : keys) {
    if (looked++ % 40 != 0) continue;
    EXPECT_EQ(get(backup, name.second, name.first), made.value);
    EXPECT_EQ(get(backup, name.second + "x", name.first), "no_such_key");
  }
  EXPECT_EQ(get(backup, "", 0), "of the empty key");
  EXPECT_EQ(get(backup, "", 5), "no_such_key");
  EXPECT_EQ(get(backup, "zzz"), "no_such_key");
}

TEST_F(GetTest, TheFirstDatabaseThatHasItUnlessToldWhich) {
  const std::string backup = take(rdb_of({{{0, "other"}, {.value = "0"}},
                                          {{3, "k"}, {.value = "three"}},
                                          {{9, "k"}, {.value = "nine"}}}));
  EXPECT_EQ(get(backup, "k"), "three");
  EXPECT_EQ(get(backup, "k", 9), "nine");
  EXPECT_EQ(get(backup, "k", 0), "no_such_key");
}

TEST_F(GetTest, KeysThatAgreeFurtherThanALabelGoes) {
  MadeKeys keys;
  const std::string common(70'000, 'k');
  for (int i = 0; i < 120; ++i) keys[{0, common + std::to_string(i)}].value = std::to_string(i);
  const std::string backup = take(rdb_of(keys));
  for (int i = 0; i < 120; i += 7) {
    EXPECT_EQ(get(backup, common + std::to_string(i)), std::to_string(i));
  }
  EXPECT_EQ(get(backup, common), "no_such_key");
  EXPECT_EQ(get(backup, common + "555"), "no_such_key");
}

TEST_F(GetTest, LongValues) {
  std::mt19937_64 random(2);
  std::string value;
  while (value.size() < 6 << 20) value += std::to_string(random());
  const std::string backup =
      take(rdb_of({{{0, "a"}, {.value = "short"}}, {{0, "b"}, {.value = value}}}));
  EXPECT_TRUE(get(backup, "b") == value);
  EXPECT_EQ(get(backup, "a"), "short");
}

class RdbExportTest : public GetTest {
 protected:
  std::string exported(const std::string& backup, std::optional<unsigned> version) {
    const auto output = folder_ / "output";
    const auto result =
        export_rdb({.place = place(backup), .rdb_version = version, .output = output.string()}, {});
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
    if (!result) return {};
    result_ = *result;
    return read_file(output);
  }
  RdbExportResult result_;
};

TEST_F(RdbExportTest, AStreamComesBackAsItWas) {
  // Idle times and what stands in an aux field would not survive a conversion to version 10.
  const std::string rdb = read_corpus("servers/redis70-default.rdb");
  const std::string backup = take(rdb, BackupLayout::stream);
  EXPECT_TRUE(exported(backup, {}) == rdb);
  EXPECT_EQ(result_.bytes, rdb.size());
  EXPECT_EQ(result_.rdb_version, 10u);
  EXPECT_EQ(result_.written, result_.keys);
  EXPECT_GT(result_.keys, 900u);
  EXPECT_TRUE(exported(backup, 10) == rdb);
  EXPECT_FALSE(exported(backup, 9) == rdb);
  EXPECT_EQ(result_.rdb_version, 9u);
}

TEST_F(RdbExportTest, ACanonicalBackupGivesTheSameDataInTheOrderOfKeys) {
  const std::string rdb = read_corpus("servers/redis70-default.rdb");
  const std::string canonical = exported(take(rdb), {});
  const RdbExportResult first = result_;
  EXPECT_FALSE(canonical == rdb);
  EXPECT_TRUE(exported(take(canonical, BackupLayout::stream), {}) == canonical);
  EXPECT_EQ(result_.types, first.types);
  EXPECT_EQ(result_.functions, 2u);
}

}  // namespace
}  // namespace sluice::engine
