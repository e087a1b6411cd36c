// Real files: what servers of many versions wrote.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "corpus.h"
#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr std::size_t small_bytes_max = 4096;

bool is_refused(const CorpusFile& file) {
  return file.name.find("unknown-types") != std::string::npos;
}

/// Keys of the files that no server of ours wrote. From redis-check-rdb 7.0, of files with a newer
/// header after setting it to 10; corrupt_ziplist from its RESIZEDB opcode.
const std::map<std::string, std::uint64_t> expected_keys = {
    {"legacy/dictionary.rdb", 1},
    {"legacy/easily_compressible_string_key.rdb", 1},
    {"legacy/empty_database.rdb", 0},
    {"legacy/hash_as_ziplist.rdb", 1},
    {"legacy/integer_keys.rdb", 6},
    {"legacy/intset_16.rdb", 1},
    {"legacy/intset_32.rdb", 1},
    {"legacy/intset_64.rdb", 1},
    {"legacy/keys_with_expiry.rdb", 1},
    {"legacy/linkedlist.rdb", 1},
    {"legacy/multiple_databases.rdb", 2},
    {"legacy/non_ascii_values.rdb", 6},
    {"legacy/parser_filters.rdb", 43},
    {"legacy/rdb_version_5_with_checksum.rdb", 6},
    {"legacy/rdb_version_8_with_64b_length_and_scores.rdb", 2},
    {"legacy/redis_40_with_module.rdb", 2},
    {"legacy/redis_50_with_streams.rdb", 14},
    {"legacy/redis_60_with_module_aux.rdb", 0},
    {"legacy/regular_set.rdb", 1},
    {"legacy/regular_sorted_set.rdb", 1},
    {"legacy/sorted_set_as_ziplist.rdb", 1},
    {"legacy/uncompressible_string_keys.rdb", 3},
    {"legacy/ziplist_that_compresses_easily.rdb", 1},
    {"legacy/ziplist_that_doesnt_compress.rdb", 1},
    {"legacy/ziplist_with_integers.rdb", 1},
    {"legacy/zipmap_that_compresses_easily.rdb", 1},
    {"legacy/zipmap_that_doesnt_compress.rdb", 1},
    {"legacy/zipmap_with_big_values.rdb", 1},
    {"valkey-assets/corrupt_empty_keys.rdb", 9},
    {"valkey-assets/corrupt_ziplist.rdb", 54},
    {"valkey-assets/encodings-rdb987.rdb", 13},
    {"valkey-assets/encodings.rdb", 13},
    {"valkey-assets/hash-ziplist.rdb", 1},
    {"valkey-assets/hash-zipmap.rdb", 1},
    {"valkey-assets/list-quicklist.rdb", 2},
    {"valkey-assets/scriptbackup.rdb", 0},
    {"valkey-assets/zset-ziplist.rdb", 1},
};

/// Counts keys by what a client sees, and adds up what the server announced.
class Census final : public Handler {
 public:
  bool on_database_size(std::uint64_t keys, std::uint64_t with_expiry) override {
    announced_keys += keys;
    announced_expires += with_expiry;
    return true;
  }
  bool on_record_begin(const RecordHeader& record) override {
    ++types[std::string(to_string(record.type->logical))];
    ++dbs[record.db];
    expires += record.expire_at_ms.has_value() ? 1 : 0;
    with_freq += record.lfu_freq.has_value() ? 1 : 0;
    return true;
  }
  bool on_end(const Trailer& end) override {
    trailer = end;
    return true;
  }

  std::map<std::string, std::uint64_t> types;
  std::map<std::uint64_t, std::uint64_t> dbs;
  std::uint64_t announced_keys = 0;
  std::uint64_t announced_expires = 0;
  std::uint64_t expires = 0;
  std::uint64_t with_freq = 0;
  Trailer trailer;
};

/// Cuts at random places; short pieces are as likely as long ones.
std::vector<std::size_t> random_cuts(std::size_t size, std::mt19937& random) {
  std::vector<std::size_t> cuts;
  std::size_t at = 0;
  while (true) {
    at += random() % (std::size_t{1} << (random() % 18));
    if (at >= size) return cuts;
    cuts.push_back(at);
  }
}

TEST(ParserCorpus, IsThere) {
  EXPECT_FALSE(corpus().empty()) << "no .rdb below " SLUICE_TEST_DATA "/corpus";
  for (const auto& [name, keys] : expected_keys) EXPECT_FALSE(corpus_file(name).content.empty());
}

TEST(ParserCorpus, EveryFileIsReadToItsEnd) {
  for (const CorpusFile& file : corpus()) {
    if (is_refused(file)) continue;
    SCOPED_TRACE(file.name);
    const Outcome outcome = parse(file.content);
    EXPECT_FALSE(outcome.error.has_value()) << to_string(*outcome.error);
    EXPECT_TRUE(outcome.done);
    // This one was taken from a replication link: the 40 bytes of its EOF mark follow.
    const bool has_mark = file.name == "legacy/redis_40_with_module.rdb";
    EXPECT_EQ(outcome.taken, file.content.size() - (has_mark ? 40 : 0));
  }
}

TEST(ParserCorpus, HasAsManyKeysAsAnotherReaderCounts) {
  for (const auto& [name, keys] : expected_keys) {
    SCOPED_TRACE(name);
    Census census;
    Parser parser(census);
    ASSERT_TRUE(parser.feed(bytes(corpus_file(name).content)).has_value());
    EXPECT_EQ(census.trailer.records, keys);
    EXPECT_EQ(parser.records(), keys);
  }
}

// The six servers hold the same data; the counts are those of the .jsonl files, which were read
// back over the protocol. A vector set (8.0 and later) is a module value to the RDB.
TEST(ParserCorpus, ServersHoldTheKeysTheirClientsSaw) {
  std::size_t files = 0;
  for (const CorpusFile& file : corpus()) {
    if (!file.name.starts_with("servers/")) continue;
    SCOPED_TRACE(file.name);
    ++files;
    Census census;
    Parser parser(census);
    ASSERT_TRUE(parser.feed(bytes(file.content)).has_value());
    const bool vectors = file.name.find("/redis8") != std::string::npos;
    std::map<std::string, std::uint64_t> types = {{"string", 705}, {"zset", 52}, {"hash", 53},
                                                  {"list", 85},    {"set", 36},  {"stream", 18}};
    if (vectors) types["module"] = 1;
    EXPECT_EQ(census.types, types);
    EXPECT_EQ(census.dbs, (std::map<std::uint64_t, std::uint64_t>{
                              {0, vectors ? 830 : 829}, {1, 40}, {9, 40}, {15, 40}}));
    EXPECT_EQ(census.expires, 203u);
    EXPECT_EQ(census.announced_keys, census.trailer.records);
    EXPECT_EQ(census.announced_expires, census.expires);
    EXPECT_EQ(census.trailer.checksum, Trailer::Checksum::ok);
    const bool lfu = file.name.ends_with("-lfu.rdb");
    EXPECT_EQ(census.with_freq, lfu ? census.trailer.records : 0);
  }
  EXPECT_GE(files, 12u);
}

TEST(ParserCorpus, GivesTheSameEventsForEverySplitOfSmallFiles) {
  for (const CorpusFile& file : corpus()) {
    if (file.content.size() > small_bytes_max) continue;
    SCOPED_TRACE(file.name);
    (void)parse_at_every_split(file.content);
  }
}

TEST(ParserCorpus, GivesTheSameEventsByteByByteAndForRandomSplits) {
  std::mt19937 random(1);
  for (const CorpusFile& file : corpus()) {
    SCOPED_TRACE(file.name);
    const Outcome whole = parse(file.content);
    EXPECT_TRUE(parse_byte_by_byte(file.content) == whole);
    for (int round = 0; round < 8; ++round) {
      EXPECT_TRUE(parse(file.content, random_cuts(file.content.size(), random)) == whole);
    }
  }
}

// Every prefix, of large files a sample of them.
TEST(ParserCorpus, APrefixIsTruncated) {
  std::mt19937 random(2);
  for (const CorpusFile& file : corpus()) {
    if (is_refused(file)) continue;
    SCOPED_TRACE(file.name);
    const std::uint64_t end = parse(file.content).taken;
    const bool all = end <= small_bytes_max;
    const std::size_t samples = all ? end : 60;
    for (std::size_t sample = 0; sample < samples; ++sample) {
      const std::size_t size = all ? sample : random() % end;
      const Outcome outcome = parse(std::string_view(file.content).substr(0, size));
      ASSERT_TRUE(outcome.error.has_value()) << "prefix of " << size << " bytes";
      ASSERT_EQ(outcome.error->code, Errc::truncated) << "prefix of " << size << " bytes";
      ASSERT_EQ(outcome.error->offset, size);
    }
  }
}

// Their damage is inside of a ziplist or an empty collection: depth frame does not look there.
TEST(ParserCorpus, CorruptValuesPassDepthFrame) {
  for (const std::string name : {"corrupt_empty_keys.rdb", "corrupt_ziplist.rdb"}) {
    const Outcome outcome = parse(corpus_file("valkey-assets/" + name).content);
    EXPECT_FALSE(outcome.error.has_value()) << name;
  }
}

TEST(ParserCorpus, UnknownTypesAreNamed) {
  for (const std::string name : {"75", "987"}) {
    SCOPED_TRACE(name);
    const auto& file = corpus_file("valkey-assets/encodings-rdb" + name + "-unknown-types.rdb");
    const Outcome outcome = parse_at_every_split(file.content);
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_EQ(outcome.error->code, Errc::unknown_type);
    EXPECT_EQ(outcome.error->offset, 0x5b);
    EXPECT_EQ(outcome.error->key, "foo");
    EXPECT_NE(outcome.error->detail.find("type 150"), std::string::npos) << outcome.error->detail;
    EXPECT_NE(outcome.error->detail.find(name), std::string::npos) << outcome.error->detail;
  }
}

}  // namespace
}  // namespace sluice::rdb::testing
