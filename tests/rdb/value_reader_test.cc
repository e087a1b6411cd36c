// ValueReader from the outside: begin, feed, end.

#include "rdb/value_reader.h"

#include <gtest/gtest.h>

#include "allocation_meter.h"
#include "encoding_builder.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr Header header{.dialect = Dialect::redis, .version = 14};

RecordHeader record_of(std::uint8_t type, std::string_view key = "k", std::uint64_t offset = 0) {
  RecordHeader record;
  record.index = 3;
  record.db = 2;
  record.type = find_value_type(Dialect::redis, type);
  record.key = bytes(key);
  record.value_offset = offset;
  return record;
}

/// One value of each kind of part.
std::vector<Value> samples() {
  StreamValue stream;
  stream.groups = {{.pending = {{1000, 0}}, .consumers = {{"c", {{1000, 0}}}}}};
  stream.producers = {"p"};
  return {{0, lzf_str(std::string(100, 'x'))},
          {1, len(2) + str("a") + from_hex("C1 E803")},
          {3, len(1) + str("a") + from_hex("03 '1.5'")},
          {5, len(1) + str("a") + real(1)},
          {7, from_hex("05 02 03 03 0000803F 04 000000000000F83F 05 01 'a' 00")},
          {9, str(zipmap({"a", "1"}, 2))},
          {11, str(intset(4, {1, 2}))},
          {13, lzf_str(ziplist({"a", 300}))},
          {18, len(2) + len(1) + str("plain") + len(2) + lzf_str(listpack({"a", "b", 5}))},
          {24, little(7, 8) + len(1) + len(1) + str("a") + str("1")},
          {25, little(7, 8) + str(listpack({"a", 1, 7}))},
          {27, stream.encode(27)},
          {28, from_hex("02 01 07 00 00 03 'abc' 01 02 000000000000F03F")}};
}

TEST(ValueReader, EveryPrefixIsTruncated) {
  for (const Value& value : samples()) {
    ASSERT_EQ(read(value).error, std::nullopt) << unsigned{value.type};
    for (std::size_t size = 0; size < value.bytes.size(); ++size) {
      const Value prefix{value.type, value.bytes.substr(0, size)};
      const Reading reading = read(prefix);
      ASSERT_TRUE(reading.error.has_value()) << unsigned{value.type} << " at " << size;
      EXPECT_EQ(reading.error->code, Errc::truncated);
      EXPECT_EQ(reading.error->offset, size);
    }
  }
}

TEST(ValueReader, BytesAfterTheValueAreRefused) {
  for (const Value& value : samples()) {
    const Reading reading = read({value.type, value.bytes + '\0'});
    ASSERT_TRUE(reading.error.has_value()) << unsigned{value.type};
    EXPECT_EQ(reading.error->code, Errc::bad_value);
    EXPECT_EQ(reading.error->offset, value.bytes.size());
    EXPECT_EQ(reading.error->detail, "bytes after its end");
  }
}

TEST(ValueReader, AHandlerThatRefusesItsNthEventStopsIt) {
  for (const Value& value : samples()) {
    ValueRecorder all;
    ValueReader counting(all);
    counting.begin(record_of(value.type), header);
    ASSERT_TRUE(counting.feed(bytes(value.bytes)));
    for (std::uint64_t n = 0; n < all.events; ++n) {
      ValueRecorder seen(n);
      ValueReader reader(seen);
      reader.begin(record_of(value.type), header);
      const auto fed = reader.feed(bytes(value.bytes));
      ASSERT_FALSE(fed.has_value()) << unsigned{value.type} << ", event " << n;
      EXPECT_EQ(fed.error().code, Errc::stopped);
      EXPECT_EQ(reader.end().error(), fed.error());
      EXPECT_EQ(seen.refusals, 1u) << "no event after the refused one";
    }
  }
}

TEST(ValueReader, TheNextValueBeginsAfreshWhateverBecameOfTheLast) {
  for (const Value& first : samples()) {
    for (std::size_t size = 0; size < first.bytes.size(); size += 3) {
      ValueRecorder seen;
      ValueReader reader(seen);
      for (const Value& second : samples()) {
        reader.begin(record_of(first.type), header);
        ASSERT_TRUE(reader.feed(bytes(first.bytes).first(size)));
        seen.restart();
        reader.begin(record_of(second.type), header);
        ASSERT_TRUE(reader.feed(bytes(second.bytes)));
        ASSERT_TRUE(reader.end());
        EXPECT_EQ(seen.log, read(second).log);
      }
    }
  }
}

TEST(ValueReader, AnErrorSaysWhere) {
  ValueRecorder seen;
  ValueReader reader(seen);
  reader.begin(record_of(2, std::string(70, 'k'), 5000), header);
  const auto fed = reader.feed(bytes(len(3) + str("a") + str("b") + str("a")));
  ASSERT_FALSE(fed.has_value());
  EXPECT_EQ(fed.error(), (Error{.code = Errc::duplicate_element,
                                .offset = 5005,
                                .record = 3,
                                .db = 2,
                                .key = std::string(64, 'k') + "...",
                                .detail = "member number 2 was there before"}));
}

TEST(ValueReader, TextsThatNobodyWantsAreNotHandedOn) {
  const ReadOptions fields{.texts = {Role::field}, .strict = true};
  EXPECT_EQ(read({4, len(1) + str("a") + str("1")}, fields).log, R"(field "a")");
  EXPECT_EQ(read({16, str(listpack({"a", 1}))}, fields).log, R"(field "a")");
  EXPECT_EQ(read({1, len(1) + str("a")}, fields).log, "");
  EXPECT_EQ(
      read({21, StreamValue().encode(21)}, {.texts = {Role::entry_value}, .strict = true}).log,
      R"(entry 1000-0 entry_value "v" stream_length 1 last_id 1000-0 first_id 1000-0 )"
      R"(max_deleted_id 0-0 entries_added 1)");
}

TEST(ValueReader, LengthsOfVersionsBelowEight) {
  const std::string bytes = from_hex("BF 00000001 'a'");  // the low bits mean nothing
  expect_events({0, bytes, Dialect::redis, 7}, R"(string "a")");
  expect_refused(Depth::decode, {0, bytes, Dialect::redis, 8}, Errc::bad_length, "first byte 191");
}

TEST(ValueReader, AFormOfAStringInPlaceOfALength) {
  expect_refused(Depth::decode, {1, from_hex("C0 01 00")}, Errc::bad_length, "string encoding 0");
  expect_refused(Depth::decode, {1, from_hex("01 C4 00")}, Errc::bad_string, "string encoding 4");
  expect_refused(Depth::decode, {0, from_hex("C3 01 42 0A 00 00")}, Errc::bad_string,
                 "LZF cannot expand 1 bytes to 522");
}

// More than are compared: counted, and accepted.
TEST(ValueReader, CountsWhatItDidNotCompare) {
  const std::uint64_t size = ValueReader::duplicates_tracked_max + 2;
  ValueRecorder seen;
  ValueReader reader(seen, {.texts = {}, .strict = true});
  for (int round = 0; round < 2; ++round) {
    reader.begin(record_of(2), header);
    ASSERT_TRUE(reader.feed(bytes(len(size))));
    for (std::uint64_t i = 0; i < size; ++i) {
      ASSERT_TRUE(reader.feed(bytes(str(little(i, 4)))));
    }
    ASSERT_TRUE(reader.end());
  }
  EXPECT_EQ(reader.unchecked(), 2u);
}

TEST(ValueReader, DeclaredLengthsTakeNoMemory) {
  const std::string huge = "81 1000000000000000 ";
  for (const auto& [type, hex] : std::vector<std::pair<std::uint8_t, std::string>>{
           {0, huge},
           {1, huge},
           {2, huge + huge},
           {7, "05 05 " + huge},
           {16, huge},
           {18, "01 01 " + huge},
           {0, "C3" + huge + huge},
           {16, "C3" + huge + huge},
           {21, "01 10 00000000000000000000000000000000 " + huge}}) {
    const std::string input = from_hex(hex);
    ValueHandler deaf;
    AllocationMeter meter;
    ValueReader reader(deaf);
    reader.begin(record_of(type), header);
    ASSERT_TRUE(reader.feed(bytes(input))) << hex;
    EXPECT_LE(meter.total_bytes(), 48u << 10) << hex;
    EXPECT_EQ(reader.end().error().code, Errc::truncated);
  }
}

TEST(ValueReader, DoesNotAllocateForValuesThatCameWhole) {
  ValueHandler deaf;
  ValueReader reader(deaf);
  const std::vector<Value> values = samples();
  for (const bool first_time : {true, false}) {
    AllocationMeter meter;
    for (const Value& value : values) {
      reader.begin(record_of(value.type), header);
      ASSERT_TRUE(reader.feed(bytes(value.bytes)));
      ASSERT_TRUE(reader.end());
    }
    EXPECT_EQ(meter.count() > 0, first_time);
  }
}

}  // namespace
}  // namespace sluice::rdb::testing
