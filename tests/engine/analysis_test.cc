#include "engine/analysis.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>
#include <numeric>

#include "rdb/parser.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

constexpr std::int64_t ctime_s = 1'700'000'000;

AnalyzeResult analysis_of(std::string_view rdb, const AnalyzeOptions& options = {},
                          std::size_t step = std::numeric_limits<std::size_t>::max()) {
  ValueMeasure measure;
  Analysis analysis(measure, options, 0);
  rdb::Parser parser(analysis);
  for (std::size_t at = 0; at < rdb.size(); at += std::min(step, rdb.size())) {
    const auto fed = parser.feed(bytes(rdb.substr(at, step)));
    EXPECT_TRUE(fed.has_value());
    if (!fed) return {};
  }
  EXPECT_TRUE(parser.finish().has_value());
  return analysis.take_result();
}

std::string aux(std::string_view name, std::string_view value) {
  return "\xfa" + rdb_string(name) + rdb_string(value);
}

/// A value of texts behind their number: list (1), set (2), or hash (4) with fields and values.
std::string collection(char type, std::string_view key, const std::vector<std::string>& texts) {
  std::string text = std::string(1, type) + rdb_string(key);
  text += rdb_length(static_cast<std::uint32_t>(type == 4 ? texts.size() / 2 : texts.size()));
  for (const std::string& item : texts) text += rdb_string(item);
  return text;
}

std::string some_of_each() {
  return rdb_stream(aux("redis-ver", "7.0.15") + aux("ctime", std::to_string(ctime_s)) +
                    aux("used-mem", "12345") + std::string("\xfe\x00", 2) +
                    rdb_record("user:1", "v") + rdb_record("user:2", "value") +
                    rdb_expiry(ctime_s * 1000 + 30'000) + collection(2, "tags", {"a", "b", "c"}) +
                    rdb_expiry(ctime_s * 1000 - 1) + collection(4, "h", {"f", "v", "g", "w"}) +
                    std::string("\xfe\x05", 2) + collection(1, "{x}l", {"1", "2", "3", "4", "5"}));
}

TEST(Analysis, TellsWhatIsThere) {
  const AnalyzeResult result = analysis_of(some_of_each());
  EXPECT_EQ(result.total.keys, 5u);
  EXPECT_EQ(result.total.elements, 1u + 1 + 3 + 2 + 5);
  EXPECT_EQ(result.types.at("string").keys, 2u);
  EXPECT_EQ(result.types.at("set").elements, 3u);
  EXPECT_EQ(result.encodings.at("hash").elements, 2u);
  EXPECT_EQ(result.types.at("list").serialized_bytes, 1u + 9 + 5 + 5 * 6);
  EXPECT_EQ(result.databases.at(0).keys, 4u);
  EXPECT_EQ(result.databases.at(5).keys, 1u);
  EXPECT_EQ(result.used_memory_bytes, 12'345u);
  EXPECT_EQ(result.at_ms, ctime_s * 1000);
  EXPECT_EQ(result.memory_model, "redis");
  EXPECT_EQ(result.expiring, 2u);
  EXPECT_EQ(result.expired, 1u);
  EXPECT_EQ(result.expiries.at(0).keys, 1u);
  EXPECT_EQ(result.expiries.at(1).keys, 1u);
  EXPECT_TRUE(result.idle.empty());
  EXPECT_EQ(result.slots.slots_used, 5u);
  EXPECT_EQ(result.slots.tagged_keys, 1u);
  EXPECT_EQ(result.unreadable, 0u);
  ASSERT_EQ(result.prefixes.children.size(), 4u);
  ASSERT_EQ(result.top_by_elements.size(), 5u);
  EXPECT_EQ(result.top_by_elements.front().key, "{x}l");
  EXPECT_EQ(result.top_by_elements.front().db, 5u);
}

TEST(Analysis, AddsUpInEveryGroup) {
  for (const char* name : {"servers/redis70-default.rdb", "servers/redis86-default.rdb",
                           "servers/valkey91-default.rdb"}) {
    const AnalyzeResult result = analysis_of(read_corpus(name));
    const auto sum = [](const auto& groups) {
      Amount total;
      for (const auto& group : groups) total += group.second;
      return total;
    };
    EXPECT_GT(result.total.keys, 900u) << name;
    EXPECT_EQ(sum(result.types), result.total) << name;
    EXPECT_EQ(sum(result.encodings), result.total) << name;
    EXPECT_EQ(sum(result.databases), result.total) << name;
    EXPECT_EQ(result.prefixes.amount, result.total) << name;
    for (const ShardSpread& cluster : result.slots.clusters) {
      EXPECT_EQ(std::accumulate(cluster.shards.begin(), cluster.shards.end(), Amount(),
                                [](Amount all, const Amount& shard) { return all += shard; }),
                result.total);
    }
  }
}

TEST(Analysis, TellsTheSameHoweverTheStreamIsCut) {
  const std::string rdb = read_corpus("servers/redis70-default.rdb");
  const std::string whole = to_json(analysis_of(rdb));
  for (const std::size_t step : {std::size_t{1}, std::size_t{977}}) {
    EXPECT_EQ(to_json(analysis_of(rdb, {}, step)), whole) << step;
  }
}

TEST(Analysis, KnowsTheSizeOfAStringThatItDoesNotExpand) {
  const AnalyzeResult result =
      analysis_of(read_corpus("legacy/easily_compressible_string_key.rdb"));
  ASSERT_EQ(result.total.keys, 1u);  // its key is the 200 bytes, and compressed
  EXPECT_LT(result.total.serialized_bytes, 100u);
  EXPECT_GT(result.total.memory_bytes, 200u);
}

TEST(Analysis, KeepsTheLargestKeysOnly) {
  std::string body;
  for (std::size_t i = 0; i < 200; ++i) {
    body += rdb_record("k" + std::to_string(i), std::string(i * 37 % 200, 'x'));
  }
  const AnalyzeResult result = analysis_of(rdb_stream(body), {.place = {}, .top = 3});
  ASSERT_EQ(result.top_by_serialized.size(), 3u);
  EXPECT_EQ(result.top_by_serialized[0].amount.serialized_bytes, 1u + 5 + 3 + 5 + 199);
  EXPECT_GE(result.top_by_serialized[0].amount.serialized_bytes,
            result.top_by_serialized[1].amount.serialized_bytes);
  EXPECT_EQ(result.top_by_elements[0].key, "k0");  // all alike: the first
  EXPECT_TRUE(analysis_of(rdb_stream(body), {.place = {}, .top = 0}).top_by_memory.empty());
}

TEST(Analysis, GoesOnPastAValueThatIsWrong) {
  // A set as an intset (11) whose data are no intset.
  const std::string bad = std::string(1, '\x0b') + rdb_string("bad") + rdb_string("\x03nonsense");
  const AnalyzeResult result =
      analysis_of(rdb_stream(rdb_record("a", "1") + bad + rdb_record("b", "2")));
  EXPECT_EQ(result.unreadable, 1u);
  EXPECT_EQ(result.total.keys, 3u);
  EXPECT_EQ(result.types.at("set").keys, 1u);
}

TEST(Analysis, SurvivesTimesThatAreFarApart) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const AnalyzeResult result = analysis_of(
      rdb_stream(aux("ctime", "18446744073709551615") + rdb_expiry(most) + rdb_record("a", "1") +
                 rdb_expiry(std::numeric_limits<std::int64_t>::min()) + rdb_record("b", "2")));
  EXPECT_EQ(result.expired, 1u);
  EXPECT_EQ(result.expiries.back().keys, 1u);
  EXPECT_FALSE(to_html(result).empty());
}

// Whoever can write to a server chooses the names of keys.
TEST(Analysis, LetsNoKeyIntoThePageAsMarkup) {
  const std::string attack = "<script>alert('x')</script>\"><img src=x onerror=y>&\xff\xfe:a";
  AnalyzeResult result = analysis_of(rdb_stream(aux("redis-ver", "<b>") + rdb_record(attack, "v")));
  result.source.uri = "file:<i>\n'\"";
  const std::string page = to_html(result);
  for (const char* markup : {"<script", "<img", "<b>", "<i>", "href=", "url(", "http:", "https:"}) {
    EXPECT_EQ(page.find(markup), std::string::npos) << markup;
  }
  EXPECT_NE(page.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), std::string::npos);
  EXPECT_TRUE(std::ranges::all_of(page, [](char c) { return c == '\n' || (c >= 32 && c < 127); }));
}

TEST(Analysis, WritesJson) {
  const auto json = boost::json::parse(to_json(analysis_of(some_of_each()))).as_object();
  EXPECT_EQ(json.at("total").at("keys").to_number<int>(), 5);
  EXPECT_EQ(json.at("types").at("list").at("elements").to_number<int>(), 5);
  EXPECT_EQ(json.at("at").as_string(), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json.at("prefixes").at("prefix").as_string(), "");
}

TEST(SizeHistogram, TellsPercentilesAtMostASixteenthTooHigh) {
  SizeHistogram sizes;
  for (std::uint64_t size = 1; size <= 100'000; ++size) sizes.add(size);
  const Distribution spread = sizes.distribution();
  for (const auto& [told, truth] : {std::pair{spread.p50, 50'000U}, std::pair{spread.p90, 90'000U},
                                    std::pair{spread.p99, 99'000U}}) {
    EXPECT_GE(told, truth);
    EXPECT_LE(told, truth + truth / 16);
  }
  EXPECT_EQ(spread.max, 100'000u);
  ASSERT_EQ(spread.powers.front().first, 2u);
  EXPECT_EQ(spread.powers.front().second, 1u);
  EXPECT_EQ(spread.powers.back().first, 131'072u);
  EXPECT_EQ(spread.powers.back().second, 100'000u - 65'535);
  SizeHistogram extremes;
  extremes.add(0);
  extremes.add(UINT64_MAX);
  EXPECT_EQ(extremes.distribution().p99, UINT64_MAX);
  EXPECT_EQ(SizeHistogram().distribution().max, 0u);
}

TEST(KeySlot, IsTheServers) {
  bool tagged = false;
  const auto slot = [&](std::string_view key) { return key_slot(bytes(key), tagged); };
  EXPECT_EQ(slot("123456789"), 12'739);
  EXPECT_EQ(slot("foo"), 12'182);
  EXPECT_FALSE(tagged);
  EXPECT_EQ(slot("{user1000}.following"), slot("user1000"));
  EXPECT_EQ(slot("foo{{bar}}zap"), slot("{bar"));
  EXPECT_EQ(slot("a{foo}{bar}"), slot("foo"));
  (void)slot("foo{}{bar}");
  EXPECT_FALSE(tagged);
  (void)slot("x{y}");
  EXPECT_TRUE(tagged);
}

TEST(SlotLoads, GivesShardsRangesAsEvenAsTheyCanBe) {
  SlotLoads loads;
  for (std::uint16_t slot = 0; slot < cluster_slots; ++slot) {
    loads.add(slot, false, {.keys = 1, .memory_bytes = 1});
  }
  const std::vector<std::size_t> sizes{1, 3, cluster_slots};
  const SlotSpread spread = loads.spread(sizes, 2);
  EXPECT_EQ(spread.clusters[0].shards[0].keys, cluster_slots);
  EXPECT_EQ(spread.clusters[1].shards[0].keys, 5461u);
  EXPECT_EQ(spread.clusters[1].shards[1].keys, 5462u);
  EXPECT_EQ(spread.clusters[1].shards[2].keys, 5461u);
  EXPECT_EQ(spread.clusters[2].shards.back().keys, 1u);
  EXPECT_EQ(spread.heaviest.size(), 2u);
}

}  // namespace
}  // namespace sluice::engine
