#include "engine/canonical_ingest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <random>

#include "engine/backup_stream.h"
#include "engine/canonical_rdb.h"
#include "net/key_slot.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

/// What a dataset is, whatever its order.
struct Summary {
  std::optional<std::string> digest;
  std::uint64_t keys = 0;
  std::uint64_t functions = 0;
  std::uint64_t module_aux = 0;
  std::map<std::string, std::uint64_t> types;
  std::map<std::uint64_t, std::uint64_t> databases;

  friend bool operator==(const Summary&, const Summary&) = default;
};

Summary summary_of(std::string_view rdb) {
  FactsAndDigest facts;
  rdb::Parser parser(facts);
  const auto taken = parser.feed(bytes(rdb));
  EXPECT_TRUE(taken.has_value()) << (taken ? "" : rdb::to_string(taken.error()));
  EXPECT_TRUE(parser.finish().has_value());
  return {.digest = facts.digest().digest(),
          .keys = facts.keys(),
          .functions = facts.functions(),
          .module_aux = facts.module_aux(),
          .types = facts.types(),
          .databases = facts.databases()};
}

/// A repository in a folder of its own.
class CanonicalIngestTest : public testing::Test {
 protected:
  struct Stored {
    OpenBackup backup;
    RunCounts counts;
  };

  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "canonical_test_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto opened =
        storage::Repository::open(folder_, {.create_if_missing = true, .io = {}, .on_step = {}});
    ASSERT_TRUE(opened.has_value()) << opened.error().detail;
    repository_ = std::move(*opened);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Backs `rdb` up, fed in pieces of `piece` bytes.
  Stored store(std::string_view rdb, const Stored* parent = nullptr, std::size_t piece = 1 << 20) {
    std::unique_ptr<ParentBackup> opened_parent;
    storage::BeginOptions begin;
    if (parent != nullptr) {
      begin.parent = parent->backup.stored.key;
      auto opened = open_backup(*repository_, *begin.parent);
      EXPECT_TRUE(opened.has_value());
      auto made = ParentBackup::of(std::move(*opened));
      EXPECT_TRUE(made.has_value());
      opened_parent = std::move(*made);
    }
    auto writer = repository_->begin_backup("test", begin);
    EXPECT_TRUE(writer.has_value()) << writer.error().detail;
    CanonicalIngest ingest(*repository_, **writer, opened_parent.get(), options_, "the test");
    for (std::size_t at = 0; at < rdb.size(); at += piece) {
      const auto fed = ingest.feed(bytes(rdb.substr(at, piece)));
      EXPECT_TRUE(fed.has_value()) << (fed ? "" : fed.error().message);
    }
    const auto done = ingest.finish([](std::uint64_t) {}, {});
    EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message);

    Manifest manifest;
    manifest.layout = Manifest::layout_canonical;
    manifest.order = options_.by_slot ? "slot" : "key";
    take_facts(manifest, ingest.facts());
    take_digest(manifest, ingest.digest());
    manifest.long_values = ingest.long_values();
    auto committed = (*writer)->commit(encode(manifest));
    EXPECT_TRUE(committed.has_value()) << (committed ? "" : committed.error().detail);
    auto backup = open_backup(*repository_, committed->key);
    EXPECT_TRUE(backup.has_value()) << (backup ? "" : backup.error().message);
    return {.backup = std::move(*backup), .counts = ingest.counts()};
  }

  std::string read(const Stored& stored) {
    std::string rdb;
    const auto done =
        read_rdb(*repository_, stored.backup,
                 [&](std::span<const std::byte> part) -> Result<void> {
                   rdb.append(reinterpret_cast<const char*>(part.data()), part.size());
                   return {};
                 },
                 {});
    EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message);
    return rdb;
  }

  /// What is read back is what was stored, and the manifest knows it.
  void expect_same(const Stored& stored, std::string_view rdb) {
    const std::string again = read(stored);
    EXPECT_EQ(summary_of(again), summary_of(rdb));
    EXPECT_EQ(stored.backup.manifest.digest, summary_of(rdb).digest);
    FactsAndDigest facts;
    rdb::Parser parser(facts);
    ASSERT_TRUE(parser.feed(bytes(again)).has_value());
    EXPECT_EQ(differences(stored.backup.manifest, facts), std::vector<std::string>());
  }

  std::filesystem::path folder_;
  std::unique_ptr<storage::Repository> repository_;
  CanonicalOptions options_;
};

std::string key_of(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return "user:" + std::string(8 - digits.size(), '0') + digits;
}

/// Records in an order that `seed` makes, with values that `version` makes of each number.
template <class Version>
std::string shuffled_rdb(std::uint64_t records, std::uint64_t seed, Version version) {
  std::vector<std::uint64_t> order(records);
  for (std::uint64_t i = 0; i < records; ++i) order[i] = i;
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  std::string body = std::string("\xfe", 1) + std::string(1, '\0');
  for (const std::uint64_t number : order) {
    std::mt19937_64 bytes_of_value(number * 1000 + version(number));
    std::string value;
    while (value.size() < 200) value += std::to_string(bytes_of_value());
    if (number % 3 == 0) body += rdb_expiry(2'000'000'000'000 + static_cast<std::int64_t>(number));
    body += rdb_record(key_of(number), value);
  }
  return rdb_stream(body);
}

std::string shuffled_rdb(std::uint64_t records, std::uint64_t seed) {
  return shuffled_rdb(records, seed, [](std::uint64_t) { return 0; });
}

TEST_F(CanonicalIngestTest, TheCorpusComesBackTheSameDataset) {
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(SLUICE_TEST_DATA "/corpus")) {
    if (entry.path().extension() != ".rdb") continue;
    const std::string name =
        std::filesystem::relative(entry.path(), SLUICE_TEST_DATA "/corpus").string();
    if (name.contains("corrupt") || name.contains("unknown-types")) continue;
    SCOPED_TRACE(name);
    const std::string rdb = read_corpus(name);
    const Stored stored = store(rdb);
    expect_same(stored, rdb);
    const Stored again = store(rdb, &stored, 777);
    expect_same(again, rdb);
    EXPECT_EQ(again.counts.whole + again.counts.deltas, 0u);
  }
}

TEST_F(CanonicalIngestTest, NothingIsStoredAgainWhenOnlyTheOrderChanged) {
  const std::string rdb = shuffled_rdb(20'000, 1);
  const Stored first = store(rdb);
  EXPECT_GT(first.counts.whole, 10u);
  expect_same(first, rdb);
  const std::string restarted = shuffled_rdb(20'000, 2);
  const Stored second = store(restarted, &first);
  EXPECT_EQ(second.counts.unchanged, first.counts.whole);
  EXPECT_EQ(second.counts.whole + second.counts.deltas, 0u);
  EXPECT_LT(second.backup.stored.new_bytes, 1000u);
  expect_same(second, restarted);
}

TEST_F(CanonicalIngestTest, OnePercentChangedCostsAboutOnePercent) {
  const Stored first = store(shuffled_rdb(20'000, 1));
  const auto changed = [](std::uint64_t number) { return number % 100 == 7 ? 1 : 0; };
  const std::string rdb = shuffled_rdb(20'000, 2, changed);
  const Stored second = store(rdb, &first);
  EXPECT_EQ(second.counts.whole, 0u);
  EXPECT_LT(static_cast<double>(second.backup.stored.new_bytes),
            0.02 * static_cast<double>(first.backup.stored.new_bytes));
  expect_same(second, rdb);
}

TEST_F(CanonicalIngestTest, AChainOfManyBackupsStaysShortAndReadable) {
  std::vector<Stored> chain;
  chain.push_back(store(shuffled_rdb(3000, 1)));
  for (std::uint64_t day = 1; day <= 24; ++day) {
    const auto version = [day](std::uint64_t number) {
      return (day * 37 + number) % 50 / 49 * day;
    };
    const std::string rdb = shuffled_rdb(3000, day + 1, version);
    chain.push_back(store(rdb, &chain.back()));
    for (const auto& chunk : chain.back().backup.stored.chunks)
      EXPECT_LE(chunk.blob_count, storage::format::chain_blobs_max);
    expect_same(chain.back(), rdb);
  }
  expect_same(chain[5], read(chain[5]));
}

TEST_F(CanonicalIngestTest, KeysThatComeAndGoAreFollowed) {
  const Stored full = store(shuffled_rdb(8000, 1));
  const std::string fewer = shuffled_rdb(500, 2);
  const Stored shrunk = store(fewer, &full);
  expect_same(shrunk, fewer);
  const std::string more = shuffled_rdb(40'000, 3);
  const Stored grown = store(more, &shrunk);
  expect_same(grown, more);
  for (const auto& chunk : grown.backup.stored.chunks) EXPECT_LE(chunk.raw_bytes, 2u << 20);
  const std::string none = rdb_stream("");
  const Stored empty = store(none, &grown);
  expect_same(empty, none);
  const Stored back = store(more, &empty);
  expect_same(back, more);
}

TEST_F(CanonicalIngestTest, LongValuesAreStoredInPiecesAndOnlyOnce) {
  std::string value;
  std::mt19937_64 random(5);
  while (value.size() < 5'000'000) value += static_cast<char>(random());
  const auto rdb_of = [](const std::string& long_value) {
    return rdb_stream(rdb_record("before", "x") + rdb_expiry(2'000'000'000'123) +
                      rdb_record("long", long_value) + rdb_record("middle", "y") +
                      rdb_record("zlong", long_value.substr(0, 2'000'000)));
  };
  const Stored first = store(rdb_of(value), nullptr, 100'000);
  expect_same(first, rdb_of(value));
  EXPECT_EQ(first.backup.manifest.long_values.size(), 2u);
  std::string edited = value;
  edited.insert(2'500'000, "an edit in the middle");
  const Stored second = store(rdb_of(edited), &first);
  expect_same(second, rdb_of(edited));
  EXPECT_LT(second.backup.stored.new_bytes, 3'000'000u);  // the pieces around the edit, of 7 MB
}

TEST_F(CanonicalIngestTest, HashTablesInAnotherOrderAreTheSameBytes) {
  const auto hash = [](std::uint64_t seed) {
    std::vector<int> order(300);
    for (int i = 0; i < 300; ++i) order[static_cast<std::size_t>(i)] = i;
    std::mt19937_64 random(seed);
    std::shuffle(order.begin(), order.end(), random);
    std::string text = std::string(1, '\x04') + rdb_string("hash") + rdb_length(300);
    for (const int i : order)
      text += rdb_string("field" + std::to_string(i)) + rdb_string("value" + std::to_string(i * 7));
    return rdb_stream(text);
  };
  const Stored first = store(hash(1));
  const Stored second = store(hash(2), &first);
  EXPECT_EQ(second.counts.unchanged, 1u);
  expect_same(second, hash(2));
}

TEST_F(CanonicalIngestTest, KeysOfAClusterAreSortedBySlot) {
  options_.by_slot = true;
  const std::string rdb = shuffled_rdb(20'000, 1);
  const Stored first = store(rdb);
  expect_same(first, rdb);
  const Stored second = store(shuffled_rdb(20'000, 2), &first);
  EXPECT_EQ(second.counts.whole + second.counts.deltas, 0u);
  expect_same(second, rdb);
}

TEST_F(CanonicalIngestTest, AccessInfoIsKeptWhenWanted) {
  const auto with_freq = [](char freq) {
    return rdb_stream(std::string("\xf9") + freq + rdb_record("a", "1") + "\xf8\x05" +
                      rdb_record("b", "2"));
  };
  const Stored without = store(with_freq('A'));
  EXPECT_FALSE(read(without).contains(std::string("\xf9") + 'A'));
  options_.keep_access = true;
  const Stored with = store(with_freq('B'));
  EXPECT_TRUE(read(with).contains(std::string("\xf9") + 'B'));
  EXPECT_TRUE(read(with).contains("\xf8\x05"));
}

TEST_F(CanonicalIngestTest, ASmallBudgetGivesTheSameBackup) {
  const std::string rdb = shuffled_rdb(60'000, 1);
  const Stored roomy = store(rdb);
  options_.memory_bytes = CanonicalOptions::memory_bytes_min;
  options_.threads = 1;
  const Stored tight = store(rdb);
  expect_same(tight, rdb);
  EXPECT_EQ(tight.backup.manifest.digest, roomy.backup.manifest.digest);
}

TEST_F(CanonicalIngestTest, TheSameKeyTwiceIsRefused) {
  auto writer = repository_->begin_backup("test");
  ASSERT_TRUE(writer.has_value());
  CanonicalIngest ingest(*repository_, **writer, nullptr, options_, "the test");
  const std::string rdb = rdb_stream(rdb_record("k", "1") + rdb_record("k", "2"));
  ASSERT_TRUE(ingest.feed(bytes(rdb)).has_value());
  const auto done = ingest.finish([](std::uint64_t) {}, {});
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, "duplicate_key");
}

TEST_F(CanonicalIngestTest, AKeyThatFitsNoRunIsRefusedWithAWayOut) {
  const std::string longest(2 << 20, 'k');
  const std::string fits = rdb_stream(rdb_record(longest, "1"));
  expect_same(store(fits), fits);
  auto writer = repository_->begin_backup("test");
  ASSERT_TRUE(writer.has_value());
  CanonicalIngest ingest(*repository_, **writer, nullptr, options_, "the test");
  const auto fed = ingest.feed(bytes(rdb_stream(rdb_record(longest + "k", "1"))));
  ASSERT_FALSE(fed.has_value());
  EXPECT_EQ(fed.error().code, "key_too_long");
  EXPECT_TRUE(fed.error().message.contains("--layout stream"));
}

TEST(DeltasToKeep, AllWhileThereIsRoomThenTheSmallOnesAreMerged) {
  using Sizes = std::vector<std::uint32_t>;
  EXPECT_EQ(deltas_to_keep(Sizes{}, 7), 0u);
  EXPECT_EQ(deltas_to_keep(Sizes{9, 9, 9}, 7), 3u);
  EXPECT_EQ(deltas_to_keep(Sizes{1, 1, 1, 1, 1, 1, 1}, 7), 0u);
  EXPECT_EQ(deltas_to_keep(Sizes{8, 1, 1, 1, 1, 1, 1}, 7), 1u);
  EXPECT_EQ(deltas_to_keep(Sizes{8, 7, 6, 5, 1, 1, 1}, 7), 4u);
  EXPECT_EQ(deltas_to_keep(Sizes{8, 7, 6, 5, 4, 3, 1}, 7), 6u);
  EXPECT_EQ(deltas_to_keep(Sizes{8, 7, 6, 5, 4, 3, 2}, 7), 0u);
  EXPECT_EQ(deltas_to_keep(Sizes{1, 9, 1}, 3), 2u);
}

/// The shards of a cluster: one stream each, fed in turn in pieces of `piece` bytes.
class ShardsIngestTest : public CanonicalIngestTest {
 protected:
  struct Outcome {
    Stored stored;
    std::uint64_t sent_twice = 0;
    std::vector<std::string> differing;
  };

  /// Slots below `border` are of the first stream, the others of the second.
  static std::vector<ShardStream> two_shards(std::uint16_t border) {
    return {{.what = "one", .owns = [border](std::uint16_t slot) { return slot < border; }},
            {.what = "two", .owns = [border](std::uint16_t slot) { return slot >= border; }}};
  }

  Outcome store_shards(const std::vector<std::string>& streams, std::size_t piece) {
    options_.by_slot = true;
    auto writer = repository_->begin_backup("test", {});
    EXPECT_TRUE(writer.has_value());
    CanonicalIngest ingest(*repository_, **writer, nullptr, options_, two_shards(8192));
    for (std::size_t at = 0;; at += piece) {
      bool left = false;
      for (std::size_t i = 0; i < streams.size(); ++i) {
        if (at >= streams[i].size()) continue;
        left = true;
        const auto fed = ingest.feed(i, bytes(std::string_view(streams[i]).substr(at, piece)));
        EXPECT_TRUE(fed.has_value()) << (fed ? "" : fed.error().message);
      }
      if (!left) break;
    }
    const auto done = ingest.finish([](std::uint64_t) {}, {});
    EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message);
    Manifest manifest;
    manifest.layout = Manifest::layout_canonical;
    manifest.order = "slot";
    take_facts(manifest, ingest.facts());
    take_digest(manifest, ingest.digest());
    manifest.long_values = ingest.long_values();
    auto committed = (*writer)->commit(encode(manifest));
    EXPECT_TRUE(committed.has_value());
    auto backup = open_backup(*repository_, committed->key);
    EXPECT_TRUE(backup.has_value());
    return {.stored = {.backup = std::move(*backup), .counts = ingest.counts()},
            .sent_twice = ingest.keys_sent_twice(),
            .differing = ingest.differing_functions()};
  }

  static bool is_low(std::string_view key) { return key_slot_of(key) < 8192; }
  static std::uint16_t key_slot_of(std::string_view key) {
    return net::key_slot(std::as_bytes(std::span(key)));
  }
};

std::string function_record(std::string_view name, std::string_view code) {
  return "\xf5" + rdb_string("#!lua name=" + std::string(name) + "\n" + std::string(code));
}

TEST_F(ShardsIngestTest, AreOneDatasetHoweverTheyAreCut) {
  const std::string select = std::string("\xfe", 1) + std::string(1, '\0');
  std::string low = function_record("a", "1") + select;
  std::string high = function_record("a", "1") + function_record("b", "2") + select;
  std::string both = function_record("a", "1") + function_record("b", "2") + select;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "k" + std::to_string(i);
    const std::size_t size = i % 100 == 7 ? (2 << 20) + 5 : static_cast<std::size_t>(i) * 3;
    const std::string record = rdb_record(key, std::string(size, static_cast<char>('a' + i % 26)));
    (is_low(key) ? low : high) += record;
    both += record;
  }
  const std::vector<std::string> streams{rdb_stream(low), rdb_stream(high)};
  for (const std::size_t piece : {std::size_t{1} << 20, std::size_t{4099}, std::size_t{64}}) {
    SCOPED_TRACE(piece);
    const auto outcome = store_shards(streams, piece);
    EXPECT_EQ(outcome.sent_twice, 0U);
    EXPECT_TRUE(outcome.differing.empty());
    expect_same(outcome.stored, rdb_stream(both));
  }
}

// A slot in migration: some of its keys are still in both.
TEST_F(ShardsIngestTest, TheOwnersKeyCountsWhenTwoSendIt) {
  const std::string select = std::string("\xfe", 1) + std::string(1, '\0');
  std::string low = select;
  std::string high = select;
  std::string right = select;
  std::uint64_t twice = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i);
    const std::string record = rdb_record(key, "owner");
    (is_low(key) ? low : high) += record;
    right += record;
    if (i % 4 == 0) {
      (is_low(key) ? high : low) += rdb_record(key, "importer");
      ++twice;
    }
  }
  std::string moved = "gone";  // its owner has it no more
  while (!is_low(moved)) moved += 'x';
  high += rdb_record(moved, "importer");
  right += rdb_record(moved, "importer");
  const auto outcome = store_shards({rdb_stream(low), rdb_stream(high)}, 100);
  EXPECT_EQ(outcome.sent_twice, twice);
  expect_same(outcome.stored, rdb_stream(right));
}

TEST_F(ShardsIngestTest, TellWhichFunctionsAreNotTheSame) {
  const auto outcome = store_shards(
      {rdb_stream(function_record("a", "1")), rdb_stream(function_record("a", "2"))}, 1 << 20);
  EXPECT_EQ(outcome.differing, std::vector<std::string>{"a"});
  EXPECT_EQ(outcome.stored.backup.manifest.functions, 1U);
  expect_same(outcome.stored, rdb_stream(function_record("a", "1")));
}

TEST_F(ShardsIngestTest, MayHaveDifferentVersions) {
  std::string newer = rdb_stream({});
  newer.replace(0, 9, "REDIS0011");
  newer.resize(newer.size() - 8);
  newer += little_endian(rdb::crc64(0, bytes(newer)), 8);
  const auto outcome = store_shards({rdb_stream({}), newer}, 1 << 20);
  EXPECT_EQ(outcome.stored.backup.manifest.source.rdb_version, 11U);
  EXPECT_TRUE(read(outcome.stored).starts_with("REDIS0011"));
}

}  // namespace
}  // namespace sluice::engine
