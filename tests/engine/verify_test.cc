#include <algorithm>

#include "engine/check_record.h"
#include "engine/digest_reader.h"
#include "rdb/parser.h"
#include "storage/checksum.h"
#include "verify_fixture.h"

namespace sluice::engine {
namespace {

/// A whole RDB: what its keys are, and its digest.
class Keys final : public FactsAndDigest {
 public:
  bool on_record_begin(const rdb::RecordHeader& record) override {
    names.push_back(
        std::to_string(record.db) + ":" +
        std::string(reinterpret_cast<const char*>(record.key.data()), record.key.size()));
    return FactsAndDigest::on_record_begin(record);
  }
  std::vector<std::string> names;
};

class VerifyLevelsTest : public VerifyTest {
 protected:
  /// Of the file that was salvaged, in its order.
  std::vector<std::string> salvaged_keys() {
    Keys keys;
    rdb::Parser parser(keys);
    const std::string rdb = read_file(folder_ / "saved.rdb");
    const auto taken = parser.feed(bytes(rdb));
    EXPECT_TRUE(taken.has_value()) << rdb::to_string(taken.error());
    EXPECT_TRUE(parser.finish().has_value());
    EXPECT_EQ(keys.trailer()->checksum, rdb::Trailer::Checksum::ok);
    EXPECT_EQ(keys.digest().undecodable(), 0u);
    return keys.names;
  }
  VerifyResult salvage(const std::string& id) {
    VerifyOptions options{.repository = {}};
    options.backups = {id};
    options.salvage = folder_ / "saved.rdb";
    const auto results = check(options);
    return results.empty() ? VerifyResult() : results.front();
  }
  BackupSummary listed(const std::string& id) {
    const auto all =
        list({.repository = root_.string(), .instance = {}, .from_ms = {}, .to_ms = {}});
    const auto found = std::ranges::find(*all, id, &BackupSummary::id);
    EXPECT_NE(found, all->end());
    return *found;
  }
  std::uint32_t chunk_of_type(const std::string& id, storage::format::BlobType type,
                              std::size_t nth = 0) {
    const auto stored = opened(id);
    for (std::uint32_t i = 0; i < stored.chunks.size(); ++i) {
      if (stored.chunks[i].type == static_cast<std::uint8_t>(type) && nth-- == 0) return i;
    }
    ADD_FAILURE() << "no such chunk";
    return 0;
  }
};

using storage::format::BlobType;

TEST_F(VerifyLevelsTest, EachLevelReadsWhatItSays) {
  for (const auto layout : {BackupLayout::canonical, BackupLayout::stream}) {
    store(dataset(0), layout);
    for (std::size_t i = 0; i < verify_level_count; ++i) {
      const auto level = static_cast<VerifyLevel>(i);
      SCOPED_TRACE(to_string(level));
      const VerifyResult result = check(level).back();
      EXPECT_TRUE(result.ok) << (result.ok ? "" : result.problems.front());
      EXPECT_EQ(result.chunks > 0, level >= VerifyLevel::decoded);
      EXPECT_EQ(result.keys, level >= VerifyLevel::parsed ? 121u : 0u);
      EXPECT_EQ(result.digest.has_value(), level == VerifyLevel::digest);
    }
  }
}

TEST_F(VerifyLevelsTest, PacksThatBackupsShareAreReadOnce) {
  store(dataset(0));
  store(dataset(0));
  const auto results = check(VerifyLevel::stored);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_GT(results[0].stored_bytes, 0u);
  EXPECT_LT(results[1].stored_bytes, 1000u);
  damage_chunk(results[0].id, chunk_of_type(results[0].id, BlobType::records));
  for (const VerifyResult& result : check(VerifyLevel::stored)) {
    EXPECT_FALSE(result.ok);
    ASSERT_EQ(result.damage.size(), 1u);
    EXPECT_EQ(result.damage[0].first_key, key_of(0));
    EXPECT_EQ(result.damage[0].backups.size(), 1u);
  }
}

TEST_F(VerifyLevelsTest, APackThatIsGoneIsFoundByAList) {
  const std::string id = store(dataset(0));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_ / "packs"))
    if (entry.is_regular_file()) std::filesystem::remove(entry.path());
  const VerifyResult result = check(VerifyLevel::list).front();
  EXPECT_EQ(result.problem_count, 1u);
  EXPECT_EQ(result.damage_count, opened(id).chunks.size());
}

TEST_F(VerifyLevelsTest, WhatWasFoundIsRememberedAndListed) {
  const std::string id = store(dataset(0));
  EXPECT_FALSE(listed(id).verified);
  check();
  ASSERT_TRUE(listed(id).verified);
  EXPECT_TRUE(listed(id).verified->ok);
  EXPECT_EQ(listed(id).verified->level, "digest");
  damage_chunk(id, chunk_of_type(id, BlobType::records));
  check(VerifyLevel::list);
  EXPECT_TRUE(listed(id).verified->ok);
  check(VerifyLevel::stored);
  EXPECT_FALSE(listed(id).verified->ok);
  damage_chunk(id, chunk_of_type(id, BlobType::records));  // and back
  check(VerifyLevel::list);
  EXPECT_FALSE(listed(id).verified->ok) << "a list does not see that it is mended";
  check(VerifyLevel::stored);
  EXPECT_TRUE(listed(id).verified->ok);
}

TEST_F(VerifyLevelsTest, AYoungGoodCheckIsEnoughWhenAskedFor) {
  store(dataset(0));
  check(VerifyLevel::parsed);
  VerifyOptions options{.repository = {}};
  options.max_age_ms = 3'600'000;
  options.level = VerifyLevel::digest;
  EXPECT_FALSE(check(options).front().skipped);
  for (const auto level : {VerifyLevel::stored, VerifyLevel::digest}) {
    options.level = level;
    EXPECT_TRUE(check(options).front().skipped);
    EXPECT_TRUE(check(options).front().ok);
  }
  options.max_age_ms = -1;
  EXPECT_FALSE(check(options).front().skipped);
}

TEST_F(VerifyLevelsTest, WhatCannotBeRememberedIsANoticeOnly) {
  const std::string id = store(dataset(0));
  const auto file = root_ / "instances" / "a" / id / "CHECKED";
  write_file(file, "not what it was");
  EXPECT_TRUE(check().front().ok);
  EXPECT_TRUE(std::ranges::any_of(notices_.texts, [](const std::string& text) {
    return text.contains("left out of account");
  }));
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_TRUE(check().front().ok);
  EXPECT_FALSE(listed(id).verified);
}

TEST_F(VerifyLevelsTest, ARemovedBackupTakesWhatWasRememberedWithIt) {
  const std::string id = store(dataset(0));
  check();
  write_file(root_ / "instances" / "a" / id / "somebody's note", "x");
  ASSERT_TRUE(open()->remove_backup({.instance = "a", .id = id}).has_value());
  EXPECT_FALSE(std::filesystem::exists(root_ / "instances" / "a" / id));
}

TEST_F(VerifyLevelsTest, NothingIsBuiltOnABackupThatWasFoundDamaged) {
  const std::string first = store(dataset(0));
  const std::string second = store(dataset(1));
  EXPECT_EQ(listed(second).parent, first);
  const auto own = opened(second);
  std::uint32_t chunk = 0;  // one that only the second has
  while (own.packs[own.blobs_of(chunk).back().pack].id.backup != *storage::parse_backup_id(second))
    ++chunk;
  damage_chunk(second, chunk);
  check();
  notices_.texts.clear();
  const std::string third = store(dataset(2));
  EXPECT_EQ(listed(third).parent, first);
  EXPECT_TRUE(std::ranges::any_of(notices_.texts, [&](const std::string& text) {
    return text.contains(second) && text.contains("not built on");
  }));
}

TEST_F(VerifyLevelsTest, AStoppedCheckGoesOnWhereItWas) {
  const std::string id = store(dataset(0));
  const storage::BackupKey key{.instance = "a", .id = id};
  std::stop_source stop;
  stop.request_stop();
  VerifyOptions options{.repository = root_.string()};
  options.level = VerifyLevel::digest;
  EXPECT_EQ(verify(options, {.observer = nullptr, .stop = stop.get_token()}).error().code,
            "cancelled");
  // As one leaves it that was stopped after the chunks before the first run of db 1, of which that
  // of db 0 was damaged.
  const auto stored = opened(id);
  const std::uint32_t run = chunk_of_type(id, BlobType::records);
  CheckRecord record;
  CheckProgress& progress = record.progress.emplace();
  progress.level = VerifyLevel::digest;
  progress.manifest = storage::to_hex(stored.manifest_digest);
  progress.next_chunk = run + 1;
  progress.damaged = {run};
  progress.add_pack(0);
  progress.sums.chunks = run;
  ASSERT_TRUE(open()->set_checked(key, encode(record)).has_value());
  options.resume = true;
  const VerifyResult result = check(options).front();
  EXPECT_TRUE(result.resumed);
  EXPECT_TRUE(result.ok) << (result.ok ? "" : result.problems.front());
  EXPECT_EQ(result.stored_bytes, 0u);
  EXPECT_EQ(result.chunks, stored.chunks.size());
  EXPECT_EQ(result.keys, 121u);
  // Sums that are wrong are seen in the end.
  progress.damaged.clear();
  ASSERT_TRUE(open()->set_checked(key, encode(record)).has_value());
  EXPECT_FALSE(check(options).front().ok);
  EXPECT_FALSE(check(options).front().resumed);
}

TEST_F(VerifyLevelsTest, WhatIsGoodIsSaved) {
  const std::string id = store(dataset(0));
  const VerifyResult whole = salvage(id);
  EXPECT_TRUE(whole.ok);
  EXPECT_EQ(salvaged_keys().size(), 121u);
  EXPECT_EQ(whole.salvaged->lost_keys, 0u);

  damage_chunk(id, chunk_of_type(id, BlobType::records, 1));
  const VerifyResult hurt = salvage(id);
  EXPECT_FALSE(hurt.ok);
  EXPECT_EQ(hurt.salvaged->keys, 81u);
  EXPECT_EQ(hurt.salvaged->lost_keys, 40u);
  const auto keys = salvaged_keys();
  EXPECT_EQ(keys.size(), 81u);
  EXPECT_TRUE(std::ranges::none_of(keys, [](const auto& key) { return key.starts_with("1:"); }));
}

TEST_F(VerifyLevelsTest, ALongValueWithoutAllItsPiecesIsLeftOut) {
  const std::string id = store(dataset(0));
  damage_chunk(id, chunk_of_type(id, BlobType::fragment));
  const VerifyResult hurt = salvage(id);
  ASSERT_GE(hurt.damage.size(), 1u);
  EXPECT_EQ(hurt.damage[0].what, "fragment");
  EXPECT_EQ(hurt.damage[0].first_key, "long");
  EXPECT_EQ(hurt.damage[0].db, 0u);
  EXPECT_EQ(hurt.salvaged->lost_keys, 1u);
  const auto keys = salvaged_keys();
  EXPECT_EQ(std::ranges::find(keys, "0:long"), keys.end());
}

TEST_F(VerifyLevelsTest, WithoutItsHeadARdbIsStillOne) {
  const std::string id = store(dataset(0));
  damage_chunk(id, chunk_of_type(id, BlobType::preamble));
  EXPECT_EQ(salvage(id).salvaged->lost_keys, 0u);
  EXPECT_EQ(salvaged_keys().size(), 121u);
}

/// The same in layout stream: whichever chunk is damaged, what begins at a border is there.
TEST_F(VerifyLevelsTest, OfAStreamTheChunksAroundTheHoleAreSaved) {
  const std::string rdb = dataset(0, 2000);
  const std::string id = store(rdb, BackupLayout::stream);
  const auto stored = opened(id);
  ASSERT_GT(stored.chunks.size(), 3u);
  Keys all;
  rdb::Parser parser(all);
  ASSERT_TRUE(parser.feed(bytes(rdb)).has_value());
  for (std::uint32_t chunk = 0; chunk < stored.chunks.size(); ++chunk) {
    SCOPED_TRACE(chunk);
    damage_chunk(id, chunk);
    const VerifyResult hurt = salvage(id);
    EXPECT_EQ(hurt.damage.front().chunk, chunk);
    const auto keys = salvaged_keys();
    EXPECT_EQ(keys.size(), hurt.salvaged->keys);
    EXPECT_EQ(hurt.salvaged->keys + hurt.salvaged->lost_keys, all.names.size());
    // From the record that the chunk begins in to the next chunk that begins with one.
    std::uint32_t next = chunk + 1;
    while (next < stored.chunks.size() && stored.chunks[next].tag[2] != 0) ++next;
    const std::uint64_t end =
        next < stored.chunks.size() ? stored.chunks[next].tag[0] : all.names.size();
    EXPECT_EQ(hurt.salvaged->lost_keys, end - stored.chunks[chunk].tag[0]);
    // In the same order, with one hole.
    std::size_t before = 0;
    while (before < keys.size() && keys[before] == all.names[before]) ++before;
    EXPECT_TRUE(std::equal(keys.begin() + static_cast<std::ptrdiff_t>(before), keys.end(),
                           all.names.end() - static_cast<std::ptrdiff_t>(keys.size() - before)));
    damage_chunk(id, chunk);
  }
  EXPECT_TRUE(check().front().ok);
}

TEST(CheckRecord, ReadsBackWhatItWrote) {
  CheckRecord record;
  record.tool = "a tool";
  record.note_good(VerifyLevel::digest, 17);
  record.note_bad({.level = VerifyLevel::stored, .at_ms = 18, .problems = 3, .data = true});
  CheckProgress& progress = record.progress.emplace();
  progress.level = VerifyLevel::digest;
  progress.manifest = "abc";
  progress.next_chunk = 4;
  progress.damaged = {1, 3};
  for (const std::uint32_t pack : {0U, 1U, 2U, 7U}) progress.add_pack(pack);
  progress.sums.digest = {.low = UINT64_MAX, .high = 1};
  progress.sums.types[3] = 5;
  progress.sums.databases[9] = 5;
  const auto again = decode_check_record(encode(record), "x");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, record);
  EXPECT_TRUE(again->progress->has_pack(7));
  EXPECT_FALSE(again->progress->has_pack(3));
  EXPECT_FALSE(decode_check_record("{}", "x").has_value());
  EXPECT_FALSE(decode_check_record("nonsense", "x").has_value());
}

TEST(CheckRecord, DamageStandsUntilACheckAsDeepFindsNone) {
  CheckRecord record;
  record.note_good(VerifyLevel::digest, 1);
  EXPECT_EQ(record.good_since(VerifyLevel::stored), 1);
  record.note_bad({.level = VerifyLevel::decoded, .at_ms = 2, .problems = 1, .data = true});
  EXPECT_FALSE(record.good_since(VerifyLevel::list));
  record.note_good(VerifyLevel::stored, 3);
  EXPECT_TRUE(record.bad);
  record.note_good(VerifyLevel::parsed, 4);
  EXPECT_FALSE(record.bad);
  EXPECT_EQ(record.good_since(VerifyLevel::decoded), 4);
  EXPECT_FALSE(record.good_since(VerifyLevel::digest));
}

}  // namespace
}  // namespace sluice::engine
