#include "engine/feed_stream.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/digest_reader.h"
#include "rdb/parser.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

constexpr std::int64_t now_ms = 1'700'000'000'000;

struct Fed {
  std::string rdb;
  RestoreResult result;
  std::uint64_t announced = 0;
  std::string error;
};

Fed feed_of(std::string_view rdb, std::optional<rdb::Header> converted = {},
            bool is_sorted = true) {
  Fed fed;
  FeedStream stream({.converted = converted, .cutoff_ms = now_ms}, is_sorted,
                    [&](std::span<const std::byte> part) {
                      fed.rdb.append(reinterpret_cast<const char*>(part.data()), part.size());
                    });
  rdb::Parser parser(stream);
  const auto taken = parser.feed(bytes(rdb));
  if (!taken) fed.error = stream.error() ? stream.error()->message : to_string(taken.error());
  stream.ledger().report(fed.result, true);
  fed.announced = stream.bytes();
  return fed;
}

std::string digest_of(std::string_view rdb) {
  FactsAndDigest facts;
  rdb::Parser parser(facts);
  EXPECT_EQ(parser.feed(bytes(rdb)), rdb.size());
  EXPECT_TRUE(parser.finish().has_value());
  return facts.digest().digest().value_or("none");
}

TEST(FeedStream, LeavesOutWhatHasExpiredAndCountsIt) {
  const std::string kept = rdb_record("b", "2") + rdb_expiry(now_ms + 1) + rdb_record("c", "3");
  const Fed fed = feed_of(
      rdb_stream("\xfe" + std::string(1, '\0') + rdb_expiry(now_ms) + rdb_record("a", "1") + kept));
  EXPECT_EQ(fed.error, "");
  const Ledger total{
      .read = 3, .written = 2, .filtered = 0, .skipped = 0, .expired = 1, .failed = 0};
  EXPECT_EQ(fed.result.total, total);
  EXPECT_EQ(fed.announced, fed.rdb.size());
  EXPECT_EQ(digest_of(fed.rdb), digest_of(rdb_stream("\xfe" + std::string(1, '\0') + kept)));
}

TEST(FeedStream, IsTheSameWheneverItIsMade) {
  const std::string rdb = read_corpus("servers/redis70-default.rdb");
  EXPECT_EQ(feed_of(rdb).rdb, feed_of(rdb).rdb);
}

TEST(FeedStream, FindsAKeyThatComesTwice) {
  const std::string rdb =
      rdb_stream("\xfe" + std::string(1, '\0') + rdb_record("a", "1") + rdb_record("a", "2"));
  EXPECT_TRUE(feed_of(rdb).error.contains("key \"a\" twice"));
  const std::string other_db = rdb_stream("\xfe" + std::string(1, '\0') + rdb_record("a", "1") +
                                          "\xfe\x01" + rdb_record("a", "2"));
  EXPECT_EQ(feed_of(other_db).error, "");
}

TEST(FeedStream, LeavesOutWhatIsAboutTheSource) {
  const std::string aux = "\xfa" + rdb_string("repl-id") + rdb_string(std::string(40, 'a')) +
                          "\xfa" + rdb_string("slot-info") + rdb_string("1,2,3") + "\xfa" +
                          rdb_string("redis-ver") + rdb_string("7.0.0");
  const Fed fed = feed_of(rdb_stream(aux));
  EXPECT_FALSE(fed.rdb.contains("repl-id"));
  EXPECT_FALSE(fed.rdb.contains("slot-info"));
  EXPECT_TRUE(fed.rdb.contains("redis-ver"));
}

TEST(FeedStream, UntilItIsTakenNothingIsWritten) {
  FeedLedger ledger;
  ledger.count_fed(rdb::LogicalType::hash);
  ledger.count_expired(rdb::LogicalType::hash);
  RestoreResult result;
  ledger.report(result, false);
  EXPECT_EQ(result.total.written, 0U);
  EXPECT_EQ(result.total.failed, 1U);
  EXPECT_TRUE(result.total.balanced());
}

// Whatever a server has written keeps its digest on the way.
TEST(FeedStream, KeepsTheCorpusAsItIs) {
  for (const auto& entry :
       std::filesystem::directory_iterator(SLUICE_TEST_DATA "/corpus/servers")) {
    if (entry.path().extension() != ".rdb") continue;
    SCOPED_TRACE(entry.path().filename().string());
    const std::string rdb = read_corpus("servers/" + entry.path().filename().string());
    FactsAndDigest facts;
    rdb::Parser parser(facts);
    if (!parser.feed(bytes(rdb)) || !parser.done()) continue;  // not one that is whole
    const Fed fed = feed_of(rdb, {}, false);
    EXPECT_EQ(fed.error, "");
    EXPECT_EQ(fed.result.total.failed, 0U);
    if (fed.result.total.expired == 0) {
      EXPECT_EQ(digest_of(fed.rdb), facts.digest().digest().value_or("none"));
    }
  }
}

}  // namespace
}  // namespace sluice::engine
