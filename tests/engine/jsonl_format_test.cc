#include "engine/jsonl_format.h"

#include <cmath>
#include <functional>

#include "output_text.h"
#include "rdb_text.h"

namespace sluice::engine {
namespace {

using rdb::LogicalType;
using enum rdb::Role;

/// Tells a format a value by hand, texts in parts of `part` bytes.
struct Teller {
  ExportFormat& format;
  std::size_t part;

  void text(rdb::Role role, std::string_view value) const {
    const auto all = bytes(value);
    std::size_t at = 0;
    do {
      const std::size_t size = std::min(part, all.size() - at);
      format.on_text(role, {.bytes = all.subspan(at, size),
                            .size = all.size(),
                            .first = at == 0,
                            .last = at + size == all.size()});
      at += size;
    } while (at < all.size());
  }
  void number(rdb::Role role, std::int64_t value) const {
    format.on_number(role, static_cast<std::uint64_t>(value));
  }
  void id(rdb::Role role, std::uint64_t ms, std::uint64_t seq) const {
    format.on_stream_id(role, {.ms = ms, .seq = seq});
  }
  void real(rdb::Role role, double value) const { format.on_real(role, value); }
};

using Value = std::function<void(const Teller&)>;

std::uint8_t type_number(LogicalType type) {
  switch (type) {
    case LogicalType::string: return 0;
    case LogicalType::list: return 1;
    case LogicalType::set: return 2;
    case LogicalType::zset: return 5;
    case LogicalType::hash: return 4;
    case LogicalType::stream: return 21;
    case LogicalType::module: return 7;
    case LogicalType::array: return 28;
  }
  return 0;
}

std::string line(LogicalType type, const Value& value, std::size_t part,
                 const ScratchLimits& limits) {
  OutputText out;
  JsonlFormat format(out.buffer, JsonlFormat::Shape::line, limits);
  rdb::RecordHeader record;
  record.db = 3;
  record.type = rdb::find_value_type(rdb::Dialect::redis, type_number(type));
  record.key = bytes("k");
  record.expire_at_ms =
      type == LogicalType::string ? std::optional<std::int64_t>(-5) : std::nullopt;
  for (int i = 0; i < 2; ++i) {  // what one record leaves behind must not be seen in the next
    EXPECT_EQ(format.begin(record), ExportFormat::Want::events);
    value({format, part});
    format.end(0);
    EXPECT_FALSE(format.error());
  }
  const std::string text = out.text();
  const std::string first = text.substr(0, text.size() / 2);
  EXPECT_EQ(first + first, text);
  return first;
}

/// However texts are cut and however little memory there is, the line is the same.
void expect_line(LogicalType type, const Value& value, const std::string& expected) {
  for (const std::size_t part : {1, 2, 3, 1000}) {
    for (const std::size_t budget : {1, 60, 1 << 20}) {
      const ScratchLimits limits{
          .sort_bytes = budget, .spool_bytes = budget, .inline_bytes = std::min(budget, 8192UL)};
      EXPECT_EQ(line(type, value, part, limits), expected) << part << " " << budget;
    }
  }
}

TEST(JsonlFormat, Strings) {
  expect_line(
      LogicalType::string, [](const Teller& t) { t.text(string, "a\"\u6c34"); },
      "{\"db\":3,\"key\":\"k\",\"type\":\"string\",\"pexpireat\":-5,"
      "\"value\":\"a\\\"\u6c34\"}\n");
  expect_line(
      LogicalType::string, [](const Teller& t) { t.text(string, "ab\xff"); },
      "{\"db\":3,\"key\":\"k\",\"type\":\"string\",\"pexpireat\":-5,"
      "\"value\":{\"$base64\":\"YWL/\"}}\n");
}

TEST(JsonlFormat, ListsKeepTheirOrder) {
  expect_line(
      LogicalType::list,
      [](const Teller& t) {
        for (const char* text : {"b", "", "a", "\xff\xfe", "b"}) t.text(element, text);
      },
      R"({"db":3,"key":"k","type":"list","value":["b","","a",{"$base64":"//4="},"b"]})"
      "\n");
}

TEST(JsonlFormat, SetsAreSortedByBytes) {
  expect_line(
      LogicalType::set,
      [](const Teller& t) {
        for (const char* text : {"10", "9", "", "\xff", "abcdefghi", "abcdefgh"}) {
          t.text(member, text);
        }
      },
      R"({"db":3,"key":"k","type":"set","value":["","10","9","abcdefgh","abcdefghi",)"
      R"({"$base64":"/w=="}]})"
      "\n");
}

TEST(JsonlFormat, SortedSetsAreInTheOrderOfScores) {
  expect_line(
      LogicalType::zset,
      [](const Teller& t) {
        const std::vector<std::pair<const char*, double>> elements{
            {"z", 1},    {"a", 1e17}, {"b", -INFINITY}, {"c", INFINITY},
            {"d", -0.0}, {"y", 1},    {"e", 0.1},       {"f", 17179869184.000004}};
        for (const auto& [name, value] : elements) {
          t.text(member, name);
          t.real(score, value);
        }
      },
      R"({"db":3,"key":"k","type":"zset","value":[["b","-inf"],["d","-0"],["e","0.1"],)"
      R"(["y","1"],["z","1"],["f","17179869184.000004"],["a","1e+17"],["c","inf"]]})"
      "\n");
}

TEST(JsonlFormat, HashesAreSortedByFieldAndHaveExpiries) {
  expect_line(
      LogicalType::hash,
      [](const Teller& t) {
        t.text(field, "f2");
        t.text(value, "two");
        t.number(field_expiry, 4102444800077);
        t.text(field, "f1");
        t.text(value, "");
        t.text(field, "f10");
        t.text(value, "ten\xff");
      },
      R"({"db":3,"key":"k","type":"hash","value":[["f1",""],["f10",{"$base64":"dGVu/w=="}],)"
      R"(["f2","two",4102444800077]]})"
      "\n");
}

void tell_group(const Teller& t, std::string_view name) {
  t.text(group, name);
  t.id(group_last_id, 9, 1);
  t.number(entries_read, -1);
  for (const std::uint64_t ms : {5, 3, 300, 4}) {
    t.id(pending, ms, 0);
    t.number(delivery_time, 1000 + static_cast<std::int64_t>(ms));
    t.number(delivery_count, 2);
  }
  t.text(consumer, "second");
  t.number(seen_time, 70);
  t.number(active_time, -1);
  t.id(consumer_pending, 300, 0);
  t.id(consumer_pending, 3, 0);
  t.text(consumer, "first");
  t.number(seen_time, 80);
  t.number(active_time, 81);
  t.id(consumer_pending, 5, 0);
  t.id(nacked, 4, 0);
}

TEST(JsonlFormat, StreamsJoinPendingIdsWithTheirConsumers) {
  const std::string group_fields =
      R"("last_id":"9-1","entries_read":null,"pending":[["3-0","second",1003,2],)"
      R"(["4-0",null,1004,2],["5-0","first",1005,2],["300-0","second",1300,2]],"consumers":[)"
      R"({"name":"first","seen_time":80,"active_time":81},)"
      R"({"name":"second","seen_time":70,"active_time":-1}]})";
  expect_line(
      LogicalType::stream,
      [](const Teller& t) {
        t.id(entry, 1, 2);
        t.text(entry_field, "f");
        t.text(entry_value, "v");
        t.id(entry, 3, 0);
        for (const char* text : {"a", "b"}) {
          t.text(entry_field, text);
          t.text(entry_value, "");
        }
        t.number(stream_length, 2);
        t.id(last_id, 9, 9);
        t.id(first_id, 1, 2);
        t.id(max_deleted_id, 0, 0);
        t.number(entries_added, 7);
        tell_group(t, "h");
        tell_group(t, "g");
      },
      R"({"db":3,"key":"k","type":"stream","value":{"entries":[["1-2",["f","v"]],)"
      R"(["3-0",["a","","b",""]]],"length":2,"last_id":"9-9","max_deleted_id":"0-0",)"
      R"("entries_added":7,"groups":[{"name":"g",)" +
          group_fields + R"(,{"name":"h",)" + group_fields + "]}}\n");
}

TEST(JsonlFormat, EmptyStreamsAndArrays) {
  expect_line(
      LogicalType::stream,
      [](const Teller& t) {
        t.number(stream_length, 0);
        t.id(last_id, 9, 9);
        t.id(first_id, 0, 0);
        t.id(max_deleted_id, 9, 9);
        t.number(entries_added, 1);
      },
      R"({"db":3,"key":"k","type":"stream","value":{"entries":[],"length":0,"last_id":"9-9",)"
      R"("max_deleted_id":"9-9","entries_added":1,"groups":[]}})"
      "\n");
  expect_line(
      LogicalType::array,
      [](const Teller& t) {
        t.number(array_insert_index, 4);
        t.number(array_index, 0);
        t.text(array_text, "text");
        t.number(array_index, 9);
        t.number(array_integer, -3);
        t.number(array_index, 10);
        t.real(array_real, 0.5);
      },
      R"({"db":3,"key":"k","type":"array","value":{"insert_index":4,"elements":[[0,"text"],)"
      R"([9,"-3"],[10,"0.5"]]}})"
      "\n");
  expect_line(
      LogicalType::array, [](const Teller&) {},
      R"({"db":3,"key":"k","type":"array","value":{"elements":[]}})"
      "\n");
}

TEST(JsonlFormat, GiantElementsTakePartInTheOrder) {
  const std::string giant(3 << 20, 'x');
  const Value tell = [&](const Teller& t) {
    t.text(field, giant + "b");
    t.text(value, giant);
    t.text(field, giant + "a");
    t.text(value, "\xff" + giant);
    t.text(field, "small");
    t.text(value, "");
  };
  const std::string tight = line(LogicalType::hash, tell, 64 << 10,
                                 {.sort_bytes = 1, .spool_bytes = 1, .inline_bytes = 1});
  const std::string roomy =
      line(LogicalType::hash, tell, 64 << 20,
           {.sort_bytes = 64 << 20, .spool_bytes = 64 << 20, .inline_bytes = 64 << 20});
  EXPECT_TRUE(tight == roomy);
  EXPECT_TRUE(roomy.contains(R"([["small",""],["xxx)"));
  EXPECT_TRUE(roomy.contains(R"(xxxa",{"$base64":"/3h4eHh4)"));
}

// Value of a vector set and of another module; the payload is in the tests of rdb::DumpPayload.
TEST(JsonlFormat, OpaqueValuesAreDumpPayloads) {
  std::string vectors = "\x81";
  std::uint64_t id = 0;
  for (const char letter : std::string("vectorset")) {
    id = id << 6 | std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
                       .find(letter);
  }
  id = id << 10 | 1;
  for (int shift = 56; shift >= 0; shift -= 8) vectors += static_cast<char>(id >> shift & 0xff);
  for (const auto& [value, type] : {std::pair(vectors + std::string(1, '\0'), "vectorset"),
                                    std::pair(std::string("\x05\0", 2), "module")}) {
    for (std::size_t cut = 0; cut <= value.size(); ++cut) {
      OutputText out;
      JsonlFormat format(out.buffer, JsonlFormat::Shape::line);
      rdb::RecordHeader record;
      record.type = rdb::find_value_type(rdb::Dialect::redis, 7);
      record.key = bytes("m");
      ASSERT_EQ(format.begin(record), ExportFormat::Want::bytes);
      format.on_bytes(bytes(value).first(cut));
      format.on_bytes(bytes(value).subspan(cut));
      format.end(0);
      auto payload = rdb::DumpPayload::begin(record);
      payload->add(bytes(value));
      OutputText base64;
      Base64Writer writer(base64.buffer);
      writer.append(payload->head());
      writer.append(bytes(value));
      writer.append(payload->footer());
      writer.finish();
      EXPECT_EQ(out.text(), R"({"db":0,"key":"m","type":")" + std::string(type) +
                                R"(","value":{"$opaque":")" + base64.text() + "\"}}\n");
    }
  }
}

}  // namespace
}  // namespace sluice::engine
