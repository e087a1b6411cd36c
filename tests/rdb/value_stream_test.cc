// Streams, read as values: what older encodings lack, and whether their parts agree.

#include <gtest/gtest.h>

#include "encoding_builder.h"
#include "rdb/stream_node.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

using Group = StreamValue::Group;

constexpr std::uint8_t types[] = {15, 19, 21, 26, 27};
constexpr StreamId a{1000, 0};
constexpr StreamId b{1000, 1};
constexpr StreamId c{2000, 0};

/// A stream whose only node is this one; the counts fit `live` entries.
StreamValue one_node(const Elements& elements, std::uint64_t live) {
  StreamValue stream;
  stream.nodes[0].second = listpack(elements);
  stream.length = stream.added = live;
  stream.last = {5000, 0};
  return stream;
}

void expect_bad_node(const Elements& elements, std::string_view detail) {
  expect_refused(Depth::decode, {21, one_node(elements, 1).encode(21)}, Errc::bad_stream, detail);
}

void expect_inconsistent(const StreamValue& stream, Errc code, std::string_view detail) {
  for (const std::uint8_t type : types) {
    expect_refused(Depth::verify, {type, stream.encode(type)}, code, detail);
  }
}

/// The entry with one group, two pending ids and consumers that have them.
StreamValue with_group() {
  StreamValue stream;
  stream.groups = {Group{.pending = {a, b}, .consumers = {{"c", {a}}, {"d", {b}}, {"e", {}}}}};
  return stream;
}

TEST(ValueStream, TheVectorsOfTheReference) {
  const std::string nodes =
      "01 10 00000000000003E80000000000000000"
      " 1D 1D0000000A0001010001010181660200010201000100018176020401FF ";
  const std::string_view log =
      R"(entry 1000-0 entry_field "f" entry_value "v" stream_length 1 last_id 1000-0 )"
      R"(first_id 1000-0 max_deleted_id 0-0 entries_added 1)";
  expect_events({15, from_hex(nodes + "01 43E8 00 00")}, log);
  expect_events({21, from_hex(nodes + "01 43E800 43E800 0000 01 00")}, log);
}

TEST(ValueStream, EverythingAnEncodingHasInItsOrder) {
  StreamValue stream = with_group();
  stream.deleted = {900, 7};
  stream.added = 9;
  stream.producers = {"p"};
  stream.groups[0].pending = {a, b, c};
  stream.groups[0].nacked = {c};
  const std::string head =
      R"(entry 1000-0 entry_field "f" entry_value "v" stream_length 1 last_id 1000-0 )"
      R"(first_id 1000-0 max_deleted_id 900-7 entries_added 9 group "g" group_last_id 1000-0 )"
      R"(entries_read 1 pending 1000-0 delivery_time 5000 delivery_count 2 )"
      R"(pending 1000-1 delivery_time 5000 delivery_count 2 )"
      R"(pending 2000-0 delivery_time 5000 delivery_count 2 )"
      R"(consumer "c" seen_time 6000 active_time 7000 consumer_pending 1000-0 )"
      R"(consumer "d" seen_time 6000 active_time 7000 consumer_pending 1000-1 )"
      R"(consumer "e" seen_time 6000 active_time 7000 )";
  const std::string tail =
      R"(idempotency_seconds 100 idempotency_items 100 producer "p" producer_item "i" )"
      R"(producer_entry 1000-0 items_added 5 items_duplicate 3)";
  expect_events({27, stream.encode(27)}, head + "nacked 2000-0 " + tail);
  stream.groups[0].pending = {a, b};
  const std::size_t at = head.find("pending 2000-0");
  std::string without = head;
  without.erase(at, head.find("consumer \"c\"") - at);
  expect_events({26, stream.encode(26)}, without + tail);
}

TEST(ValueStream, OldEncodingsGetTheDefaultsOfAServerThatLoadsThem) {
  StreamValue stream = with_group();
  expect_events({15, stream.encode(15)},
                R"(entry 1000-0 entry_field "f" entry_value "v" stream_length 1 last_id 1000-0 )"
                R"(first_id 1000-0 max_deleted_id 0-0 entries_added 1 group "g" )"
                R"(group_last_id 1000-0 entries_read 1 )"
                R"(pending 1000-0 delivery_time 5000 delivery_count 2 )"
                R"(pending 1000-1 delivery_time 5000 delivery_count 2 )"
                R"(consumer "c" seen_time 6000 active_time 6000 consumer_pending 1000-0 )"
                R"(consumer "d" seen_time 6000 active_time 6000 consumer_pending 1000-1 )"
                R"(consumer "e" seen_time 6000 active_time 6000)");
  const std::string log = read({19, stream.encode(19)}).log;
  EXPECT_NE(log.find("seen_time 6000 active_time 6000"), std::string::npos) << log;
}

std::string entries_read_of(StreamId group_last) {
  StreamValue stream =
      one_node({3, 0, 1, "f", 0, 2, 0, 0, "v", 4, 2, 500, 0, "v", 4, 2, 1000, 0, "v", 4}, 3);
  stream.last = c;
  stream.groups = {Group{.last = group_last}};
  const std::string log = read_at_every_split({15, stream.encode(15)}).log;
  return log.substr(log.find("entries_read"));
}

TEST(ValueStream, HowManyEntriesAGroupHasReadIsEstimated) {
  EXPECT_EQ(entries_read_of({999, 9}), "entries_read 0");
  EXPECT_EQ(entries_read_of(a), "entries_read 1");
  EXPECT_EQ(entries_read_of({1500, 0}), "entries_read -1");  // could be 2: not looked up
  EXPECT_EQ(entries_read_of(c), "entries_read 3");
  EXPECT_EQ(entries_read_of({2000, 1}), "entries_read -1");
  StreamValue empty{.nodes = {}, .length = 0, .last = a, .groups = {Group{.last = a}}};
  EXPECT_TRUE(read({15, empty.encode(15)}).log.ends_with("entries_read 0"));
}

TEST(ValueStream, MayBeEmpty) {
  StreamValue stream{.nodes = {}, .length = 0, .last = {}, .first = {}, .added = 0};
  for (const std::uint8_t type : types) expect_accepted({type, stream.encode(type)});
  stream.added = 7;
  stream.last = stream.deleted = a;
  expect_accepted({21, stream.encode(21)});
  stream.first = {UINT64_MAX, UINT64_MAX};  // as loading an old empty stream leaves it
  expect_accepted({21, stream.encode(21)});
}

TEST(ValueStream, EntriesWithSharedOwnAndNumericFields) {
  expect_events({21, one_node({3, 1, 2,  "f",    7,      0,               // master: f and 7
                               2, 0, 0,  "v",    -5,     5,               // the same fields
                               3, 1, -1, "gone", "gone", 5,               // deleted
                               0, 2, 5,  2,      "x",    "y", 12, 13, 8,  // its own
                               2, 3, 0,  "",     "w",    5},
                              3)
                         .encode(21)},
                R"(entry 1000-0 entry_field "f" entry_value "v" entry_field "7" entry_value "-5" )"
                R"(entry 1002-5 entry_field "x" entry_value "y" entry_field "12" )"
                R"(entry_value "13" entry 1003-0 entry_field "f" entry_value "" )"
                R"(entry_field "7" entry_value "w" stream_length 3 last_id 5000-0 )"
                R"(first_id 1000-0 max_deleted_id 0-0 entries_added 3)");
}

TEST(ValueStream, TheSequenceNumberWrapsAsAServersDoes) {
  StreamValue stream = one_node({2, 0, 1, "f", 0, 2, 0, 0, "v", 4, 2, 1, -900, "v", 4}, 2);
  stream.nodes[0].first = {1000, 900};
  const Reading reading = read({21, stream.encode(21)});
  EXPECT_NE(reading.log.find("entry 1001-0"), std::string::npos) << reading.log;
  EXPECT_EQ(reading.error, std::nullopt);
}

TEST(ValueStream, NodesMayBeCompressedAndLong) {
  StreamValue stream =
      one_node({1, 0, 1, std::string(2000, 'f'), 0, 2, 0, 0, std::string(1900, 'v'), 4}, 1);
  const std::string raw = stream.encode(21);
  expect_accepted({21, raw});
  const std::string node = str(stream.nodes[0].second);
  std::string compressed = raw;
  compressed.replace(raw.find(node), node.size(), lzf_str(stream.nodes[0].second));
  expect_accepted({21, compressed});
  EXPECT_EQ(read({21, compressed}).log, read({21, raw}).log);
}

TEST(ValueStream, ANodeIdHasSixteenBytes) {
  for (const std::size_t size : {0u, 15u, 17u, 300u}) {
    std::string bytes = StreamValue().encode(21);
    bytes.replace(1, 17, str(std::string(size, 'x')));
    expect_refused(Depth::decode, {21, bytes}, Errc::bad_stream,
                   "a node id of " + std::to_string(size) + " bytes");
  }
}

TEST(ValueStream, NodeIdsAscend) {
  StreamValue stream;
  const auto node = stream.nodes[0].second;
  stream.nodes = {{b, node}, {b, node}};
  stream.length = stream.added = 2;
  expect_inconsistent(stream, Errc::bad_order, "node 1000-1 after 1000-1");
  stream.nodes = {{b, node}, {a, node}};
  expect_inconsistent(stream, Errc::bad_order, "node 1000-0 after 1000-1");
}

TEST(ValueStream, ANodeBeginsAboveTheEntriesBefore) {
  StreamValue stream = one_node({2, 0, 1, "f", 0, 2, 0, 0, "v", 4, 2, 500, 0, "v", 4}, 3);
  stream.nodes.push_back({{1500, 0}, listpack({1, 0, 1, "f", 0, 2, 500, 0, "v", 4})});
  expect_inconsistent(stream, Errc::bad_order, "node 1500-0 after 1500-0");
}

TEST(ValueStream, EntriesAscendAndAreNotBelowTheirNode) {
  expect_inconsistent(one_node({2, 0, 1, "f", 0, 2, 0, 1, "v", 4, 2, 0, 1, "v", 4}, 2),
                      Errc::bad_order, "entry 1000-1 after 1000-1");
  expect_inconsistent(one_node({2, 0, 1, "f", 0, 2, 9, 0, "v", 4, 2, 8, 0, "v", 4}, 2),
                      Errc::bad_order, "entry 1008-0 after 1009-0");
  expect_inconsistent(one_node({1, 0, 1, "f", 0, 2, -1, 0, "v", 4}, 1), Errc::bad_order,
                      "entry 999-0 in node 1000-0");
  // XSETID went back over a deleted entry: valid.
  expect_accepted(
      {15, one_node({1, 1, 1, "f", 0, 3, 9, 0, "v", 4, 2, 8, 0, "v", 4}, 1).encode(15)});
}

TEST(ValueStream, NodesCountTheirEntries) {
  expect_inconsistent(one_node({2, 0, 1, "f", 0, 2, 0, 0, "v", 4}, 1), Errc::bad_stream,
                      "node 1000-0: it says 2 live and 0 deleted entries, there are 1 and 0");
  expect_inconsistent(one_node({1, 0, 1, "f", 0, 2, 0, 0, "v", 4, 3, 1, 0, "v", 4}, 1),
                      Errc::bad_stream, "1 live and 0 deleted entries, there are 1 and 1");
  expect_inconsistent(one_node({1, 1, 1, "f", 0, 2, 0, 0, "v", 4}, 1), Errc::bad_stream,
                      "1 live and 1 deleted entries, there are 1 and 0");
}

TEST(ValueStream, NodesOfTheWrongShape) {
  expect_bad_node({}, "it ends inside an entry");
  expect_bad_node({1, 0, 1, "f"}, "it ends inside an entry");
  expect_bad_node({1, 0, 1, "f", 0, 2, 0, 0, "v"}, "it ends inside an entry");
  expect_bad_node({1, 0, 2, "f", "g", 1, 2, 0, 0, "v", "w", 5}, "does not end with 0");
  expect_bad_node({-1, 0, 1, "f", 0, 2, 0, 0, "v", 4}, "a count of -1");
  expect_bad_node({1, -1, 1, "f", 0, 2, 0, 0, "v", 4}, "a count of -1");
  expect_bad_node({1, 0, -1, "f", 0, 2, 0, 0, "v", 4}, "a count of -1");
  expect_bad_node({1, 0, 1, "f", 0, 0, 0, 0, -1, "f", "v", 6}, "a count of -1");
  expect_bad_node({1, 0, 1, "f", 0, 2, 0, 0, "v", 5}, "an entry of 4 elements that says 5");
  expect_bad_node({1, 0, 1, "f", 0, 0, 0, 0, 1, "f", "v", 4}, "an entry of 6 elements that says 4");
  expect_bad_node({1, 0, 1, "f", 0, 2, 0, 0, "v", -1}, "an entry of 4 elements that says -1");
}

TEST(ValueStream, NumbersMayBeTextsOfNumbersOnly) {
  const Elements texts = {"1", "0", "1", "f", "0", "2", "0", "0", "v", "4"};
  expect_accepted({21, one_node(texts, 1).encode(21)});
  for (const char* text : {"x", "", "01", "+1", "-0", "1x", "12345678901234567890123"}) {
    expect_bad_node({text, 0, 1, "f", 0, 2, 0, 0, "v", 4}, "a text where a number is expected");
    expect_bad_node({1, 0, 1, "f", 0, 2, 0, 0, "v", text}, "a text where a number is expected");
  }
}

TEST(ValueStream, TheLengthIsTheSumOfTheNodes) {
  StreamValue stream;
  stream.length = 2;
  stream.added = 2;
  expect_inconsistent(stream, Errc::bad_stream, "it says 2 entries, its nodes have 1");
  stream.length = 0;
  expect_inconsistent(stream, Errc::bad_stream, "it says 0 entries, its nodes have 1");
}

TEST(ValueStream, LastFirstAndDeletedIdsFit) {
  StreamValue stream;
  stream.last = {999, 0};
  expect_inconsistent(stream, Errc::bad_stream, "last id 999-0 is below entry 1000-0");
  stream = {};
  stream.first = b;
  expect_refused(Depth::verify, {19, stream.encode(19)}, Errc::bad_stream,
                 "first id 1000-1 is above entry 1000-0");
  stream = {};
  stream.deleted = b;
  expect_refused(Depth::verify, {21, stream.encode(21)}, Errc::bad_stream,
                 "greatest deleted id 1000-1 is above last id 1000-0");
  stream = {};
  stream.added = 0;
  expect_refused(Depth::verify, {27, stream.encode(27)}, Errc::bad_stream,
                 "0 entries ever added, but there are 1");
}

TEST(ValueStream, GroupsConsumersAndProducersAreUnique) {
  StreamValue stream;
  stream.groups = {Group{.name = "g"}, Group{.name = "h"}, Group{.name = "g"}};
  expect_inconsistent(stream, Errc::duplicate_element, "consumer group number 2");
  stream = with_group();
  stream.groups[0].consumers[2].name = "c";
  expect_inconsistent(stream, Errc::duplicate_element, "consumer number 2");
  stream = {};
  stream.groups = {Group{.name = "g", .consumers = {{"c", {}}}},
                   Group{.name = "h", .consumers = {{"c", {}}}}};
  for (const std::uint8_t type : types) expect_accepted({type, stream.encode(type)});
  stream.producers = {"p", "q", "p"};
  expect_refused(Depth::verify, {26, stream.encode(26)}, Errc::duplicate_element,
                 "producer number 2");
}

TEST(ValueStream, PendingIdsAscend) {
  StreamValue stream = with_group();
  stream.groups[0].pending = {b, a};
  expect_inconsistent(stream, Errc::bad_order, "pending id 1000-0 after 1000-1");
  stream.groups[0].pending = {a, a};
  expect_inconsistent(stream, Errc::bad_order, "pending id 1000-0 after 1000-0");
  stream.groups = {with_group().groups[0], with_group().groups[0]};
  stream.groups[1].name = "h";  // each group on its own
  expect_accepted({21, stream.encode(21)});
}

TEST(ValueStream, EveryPendingIdHasOneOwner) {
  StreamValue stream = with_group();
  stream.groups[0].consumers[1].pending = {};  // unowned
  expect_inconsistent(stream, Errc::bad_stream,
                      "group number 1 has 2 pending ids, its consumers have 1");
  stream.groups[0].consumers[1].pending = {a};  // owned twice, and one unowned
  expect_inconsistent(stream, Errc::bad_stream, "2 pending ids, its consumers have 2 others");
  stream.groups[0].consumers[1].pending = {b};
  stream.groups[0].consumers[2].pending = {b};  // owned twice
  expect_inconsistent(stream, Errc::bad_stream, "2 pending ids, its consumers have 3");
  stream.groups[0].consumers[2].pending = {c};  // owned, but not pending
  expect_inconsistent(stream, Errc::bad_stream, "2 pending ids, its consumers have 3");
  stream.groups[0].pending = {a, b, {3000, 0}};
  expect_inconsistent(stream, Errc::bad_stream, "3 pending ids, its consumers have 3 others");
}

TEST(ValueStream, IdsHandedBackBelongToNobody) {
  const auto read_27 = [](const StreamValue& stream) { return Value{27, stream.encode(27)}; };
  StreamValue stream = with_group();
  stream.groups[0].consumers[1].pending = {};
  stream.groups[0].nacked = {b};
  expect_accepted(read_27(stream));
  stream.groups[0].consumers[1].pending = {b};  // owned as well
  expect_refused(Depth::verify, read_27(stream), Errc::bad_stream, "its consumers have 3");
  stream.groups[0].consumers[1].pending = {};
  stream.groups[0].nacked = {c};  // not pending
  expect_refused(Depth::verify, read_27(stream), Errc::bad_stream, "its consumers have 2 others");
}

TEST(ValueStream, IdempotencyRanges) {
  for (const std::uint64_t seconds : {std::uint64_t{0}, std::uint64_t{86401}, UINT64_MAX}) {
    StreamValue stream;
    stream.seconds = seconds;
    expect_refused(Depth::verify, {26, stream.encode(26)}, Errc::bad_stream,
                   "idempotency for " + std::to_string(seconds) + " seconds");
  }
  for (const std::uint64_t items : {std::uint64_t{0}, std::uint64_t{10001}}) {
    StreamValue stream;
    stream.items = items;
    expect_refused(Depth::verify, {27, stream.encode(27)}, Errc::bad_stream,
                   "idempotency for " + std::to_string(items) + " items");
  }
  StreamValue stream;
  stream.seconds = 86400;
  stream.items = 10000;
  expect_accepted({26, stream.encode(26)});
}

// Names are held for the entries that share them: bounded, also where they are many and short.
TEST(ValueStream, SharedFieldNamesAreBounded) {
  const std::size_t names = StreamNode::names_bytes_max / sizeof(std::size_t) + 1;
  std::string elements;
  for (const Element& element :
       {Element(0), Element(0), Element(static_cast<std::int64_t>(names))}) {
    elements += listpack_element(element, Generation::older);
  }
  for (std::size_t i = 0; i < names; ++i) elements += std::string_view("\x80\x01", 2);
  elements += listpack_element(0, Generation::older);
  StreamValue stream{.nodes = {{a, listpack_of(elements, 65535)}}, .length = 0, .added = 0};
  const Value value{21, stream.encode(21)};
  const Reading held = read(value);
  ASSERT_TRUE(held.error.has_value());
  EXPECT_EQ(held.error->code, Errc::bad_stream);
  EXPECT_NE(held.error->detail.find("shared field names above"), std::string::npos);
  EXPECT_EQ(read(value, {.texts = {}, .strict = true}).error, std::nullopt);
}

// A name of more than half the bound comes in parts: it counts once.
TEST(ValueStream, ALongSharedFieldNameInPartsCountsOnce) {
  const std::string name(StreamNode::names_bytes_max - 1000, 'n');
  StreamValue stream = one_node({1, 0, 1, name, 0, 2, 0, 0, "v", 4}, 1);
  const Value value{21, stream.encode(21)};
  const Reading whole = read(value);
  EXPECT_EQ(whole.error, std::nullopt);
  EXPECT_EQ(read(value, {}, std::array<std::size_t, 2>{12 << 20, 14 << 20}), whole);
}

}  // namespace
}  // namespace sluice::rdb::testing
