#include "engine/filter_stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "../rdb/encoding_builder.h"
#include "rdb/escape.h"
#include "rdb/parser.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

using rdb::testing::len;
using rdb::testing::listpack;
using rdb::testing::little;
using rdb::testing::lzf_str;
using rdb::testing::str;

using Lines = std::vector<std::string>;

constexpr std::int64_t saved = 1'700'000'000'000;
constexpr std::int64_t now = saved + 500'000;
constexpr std::int64_t later = 1'800'000'000'000;

/// Writes down what it is handed.
class Recorder final : public rdb::Handler {
 public:
  bool on_aux(std::span<const std::byte> key, std::span<const std::byte>) override {
    lines.push_back("aux " + rdb::escape(key));
    return true;
  }
  bool on_database(std::uint64_t db) override {
    lines.push_back("db " + std::to_string(db));
    return true;
  }
  bool on_function(std::span<const std::byte> source) override {
    lines.push_back("function " + rdb::escape(source));
    return true;
  }
  bool on_record_begin(const rdb::RecordHeader& record) override {
    std::string line = std::to_string(record.index) + " " + std::to_string(record.db) + " " +
                       rdb::escape(record.key);
    if (record.expire_at_ms) line += " " + std::to_string(*record.expire_at_ms);
    lines.push_back(line);
    value.clear();
    return true;
  }
  bool on_value_part(std::span<const std::byte> part) override {
    value.append(reinterpret_cast<const char*>(part.data()), part.size());
    return true;
  }
  bool on_record_end(std::uint64_t) override {
    values.push_back(value);
    return true;
  }

  Lines lines;
  std::string value;
  Lines values;
};

class Counter final : public FilterTally {
 public:
  void left_out(rdb::LogicalType) override { ++left; }
  void refused(rdb::LogicalType, std::uint64_t db, std::span<const std::byte> key,
               std::string_view why) override {
    refusals.push_back(std::to_string(db) + " " + rdb::escape(key) + ": " + std::string(why));
  }
  std::size_t left = 0;
  Lines refusals;
};

struct Filtered {
  Filtered(const Filter& filter, const std::string& rdb, std::size_t cut = 0) {
    const auto chooser = KeyChooser::make(filter.keys);
    EXPECT_TRUE(chooser.has_value());
    FilterStream stream(filter, *chooser, {.now_ms = now}, recorder, counter);
    rdb::Parser parser(stream);
    const auto all = bytes(rdb);
    ok = parser.feed(all.first(cut)).has_value() && parser.feed(all.subspan(cut)).has_value() &&
         parser.finish().has_value();
    error = stream.error();
    keys = stream.keys();
  }

  Recorder recorder;
  Counter counter;
  bool ok = false;
  std::uint64_t keys = 0;
  std::optional<Error> error;
};

std::string select(int db) { return "\xfe" + std::string(1, static_cast<char>(db)); }
std::string aux(std::string_view key, std::string_view value) {
  return "\xfa" + rdb_string(key) + rdb_string(value);
}
const std::string ctime_of_saved = aux("ctime", "1700000000");

std::string some_keys() {
  return rdb_stream(ctime_of_saved + aux("lua", "return 1") + "\xf5" + rdb_string("#!lua name=x") +
                    select(0) + rdb_record("a", "1") + rdb_expiry(later) + rdb_record("b", "2") +
                    select(3) + rdb_record("a", "3") + rdb_record("c", "4"));
}

TEST(FilterStream, HandsOnAllThatIsThereWithoutAFilter) {
  const Filtered done({}, some_keys());
  ASSERT_TRUE(done.ok);
  EXPECT_EQ(done.recorder.lines, Lines({"aux ctime", "aux lua", "function #!lua name=x", "db 0",
                                        "0 0 a", "1 0 b 1800000000000", "db 3", "2 3 a", "3 3 c"}));
  EXPECT_EQ(done.counter.left, 0u);
}

TEST(FilterStream, LeavesOutWhatIsNotChosenAndWithItFunctions) {
  Filter filter;
  filter.keys.only.globs = {"[bc]"};
  const Filtered done(filter, some_keys());
  ASSERT_TRUE(done.ok);
  EXPECT_EQ(done.recorder.lines,
            Lines({"aux ctime", "db 0", "1 0 b 1800000000000", "db 3", "3 3 c"}));
  EXPECT_EQ(done.recorder.values, Lines({rdb_string("2"), rdb_string("4")}));
  EXPECT_EQ(done.counter.left, 2u);
  EXPECT_EQ(done.keys, 4u);
  filter.functions = true;
  const Filtered with(filter, some_keys());
  EXPECT_EQ(with.recorder.lines[2], "function #!lua name=x");
}

TEST(FilterStream, RenamesAndMapsByWhatTheSourceCallsThings) {
  Filter filter;
  filter.databases = {{3, 0}, {0, 7}};
  filter.prefix = "old:";
  filter.keys.except.databases = {9};
  filter.keys.only.globs = {"a"};
  const Filtered done(filter, some_keys());
  ASSERT_TRUE(done.ok);
  EXPECT_EQ(done.recorder.lines, Lines({"aux ctime", "db 7", "0 7 old:a", "db 0", "2 0 old:a"}));
}

TEST(FilterStream, KeepsNamesThatAreBinary) {
  Filter filter;
  filter.prefix = std::string("\0\n", 2);
  const Filtered done(filter, rdb_stream(select(0) + rdb_record(std::string("\xff\0", 2), "v")));
  EXPECT_EQ(done.recorder.lines, Lines({"db 0", "0 0 \\x00\\x0a\\xff\\x00"}));
}

std::string expiring() {
  return rdb_stream(ctime_of_saved + select(0) + rdb_expiry(later) + rdb_record("a", "1") +
                    rdb_expiry(saved - 5) + rdb_record("dead", "1") + rdb_record("none", "1"));
}

TEST(FilterStream, DropsExpiriesButRaisesNoDead) {
  Filter filter;
  filter.ttl = TtlMode::drop;
  EXPECT_EQ(Filtered(filter, expiring()).recorder.lines,
            Lines({"aux ctime", "db 0", "0 0 a", "1 0 dead 1699999999995", "2 0 none"}));
}

TEST(FilterStream, ShiftsExpiriesByTheTimeSinceTheDataWereSaved) {
  Filter filter;
  filter.ttl = TtlMode::shift;
  EXPECT_EQ(Filtered(filter, expiring()).recorder.lines,
            Lines({"aux ctime", "db 0", "0 0 a " + std::to_string(later + 500'000),
                   "1 0 dead 1699999999995", "2 0 none"}));
  filter.shift_ms = -7000;
  EXPECT_EQ(Filtered(filter, expiring()).recorder.lines[2],
            "0 0 a " + std::to_string(later - 7000));
}

TEST(FilterStream, RefusesToShiftByATimeThatNobodyKnows) {
  Filter filter;
  filter.ttl = TtlMode::shift;
  const std::string rdb = rdb_stream(select(0) + rdb_expiry(later) + rdb_record("a", "1"));
  const Filtered done(filter, rdb);
  EXPECT_FALSE(done.ok);
  ASSERT_TRUE(done.error.has_value());
  EXPECT_EQ(done.error->code, "not_filtered");
  filter.shift_ms = 1;
  EXPECT_TRUE(Filtered(filter, rdb).ok);
}

/// A stream of version 12 with one record of a type.
std::string one_hash(std::uint8_t type, const std::string& value, const char* magic = "REDIS0012") {
  std::string text = magic + ctime_of_saved + select(0) + static_cast<char>(type) +
                     rdb_string("h") + value + "\xff";
  return text + little_endian(rdb::crc64(0, bytes(text)), 8);
}

std::string listpack_hash(std::int64_t at) {
  return little(static_cast<std::uint64_t>(at), 8) + str(listpack({"f", "v", at}));
}

TEST(FilterStream, ShiftsFieldsOfHashes) {
  Filter filter;
  filter.ttl = TtlMode::shift;
  const auto table = [](std::int64_t at) {
    return len(1) + str("f") + str("v") + little(static_cast<std::uint64_t>(at), 8);
  };
  const std::string rdb = one_hash(25, listpack_hash(later));
  for (std::size_t cut = 0; cut < rdb.size(); ++cut) {
    const Filtered done(filter, rdb, cut);
    EXPECT_EQ(done.recorder.values, Lines({listpack_hash(later + 500'000)}));
  }
  EXPECT_EQ(Filtered(filter, one_hash(22, table(later), "VALKEY080")).recorder.values,
            Lines({table(later + 500'000)}));
  filter.ttl = TtlMode::drop;
  EXPECT_EQ(Filtered(filter, one_hash(22, table(later), "VALKEY080")).recorder.values,
            Lines({table(-1)}));
  filter.ttl = TtlMode::keep;
  EXPECT_EQ(Filtered(filter, rdb).recorder.values, Lines({listpack_hash(later)}));
}

TEST(FilterStream, PassesLongTablesThroughInParts) {
  Filter filter;
  filter.ttl = TtlMode::shift;
  const auto value = [](std::int64_t at) {
    std::string text = len(3000);
    for (int i = 0; i < 3000; ++i) {
      text += str("field" + std::to_string(i)) + str(std::string(1000, 'v')) +
              little(static_cast<std::uint64_t>(i % 3 == 0 ? -1 : at + i), 8);
    }
    return text;
  };
  const std::string rdb = one_hash(22, value(later), "VALKEY080");
  for (const std::size_t cut : {std::size_t{100}, std::size_t{1'048'900}, rdb.size() - 30}) {
    const Filtered done(filter, rdb, cut);
    ASSERT_TRUE(done.ok);
    EXPECT_TRUE(done.recorder.values == Lines({value(later + 500'000)}));
  }
}

TEST(FilterStream, NamesAHashThatItCannotChange) {
  Filter filter;
  filter.ttl = TtlMode::drop;
  filter.prefix = "x:";
  const std::string broken = little(1, 8) + str("no listpack at all");
  const std::string rdb = one_hash(25, broken);
  const Filtered done(filter, rdb);
  ASSERT_TRUE(done.ok);
  ASSERT_EQ(done.counter.refusals.size(), 1u);
  EXPECT_TRUE(done.counter.refusals[0].starts_with("0 h: ")) << done.counter.refusals[0];
  EXPECT_TRUE(done.recorder.values.empty());

  const std::string huge = little(1, 8) + rdb_string(listpack({"f", std::string(1 << 21, 'v'), 0}));
  const Filtered long_one(filter, one_hash(25, huge));
  ASSERT_TRUE(long_one.ok);
  EXPECT_EQ(long_one.counter.refusals.size(), 1u);
}

TEST(FilterStream, TakesIndexesThatItIsTold) {
  Filter filter;
  filter.prefix = "x";
  const auto chooser = KeyChooser::make({});
  Recorder recorder;
  Counter counter;
  FilterStream stream(filter, *chooser, {}, recorder, counter);
  rdb::Parser parser(stream);
  stream.expect(17);
  stream.expect(20);
  ASSERT_TRUE(
      parser.feed(bytes(rdb_stream(select(0) + rdb_record("a", "1") + rdb_record("b", "1")))));
  EXPECT_EQ(recorder.lines, Lines({"db 0", "17 0 xa", "20 0 xb"}));
}

}  // namespace
}  // namespace sluice::engine
