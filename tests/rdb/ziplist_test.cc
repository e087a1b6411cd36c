// Ziplists, read as the values they make up.

#include <gtest/gtest.h>

#include "encoding_builder.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr std::uint8_t list = 10;
constexpr std::uint8_t zset = 12;
constexpr std::uint8_t hash = 13;
constexpr std::uint8_t quicklist = 14;

void expect_bad(std::string_view blob, std::string_view detail) {
  expect_refused(Depth::decode, {list, str(blob)}, Errc::bad_encoding, detail);
}

std::string with(std::string blob, std::size_t at, std::string_view bytes) {
  return blob.replace(at, bytes.size(), bytes);
}

TEST(Ziplist, EveryElementEncoding) {
  expect_events({list, str(ziplist({0, 12, 13, -1, 127, -128, 128, 32767, -32768, 32768, -8388608,
                                    8388607, 8388608, INT64_C(-2147483648), INT64_C(2147483648),
                                    INT64_MIN, "", "a"}))},
                R"(element "0" element "12" element "13" element "-1" element "127" )"
                R"(element "-128" element "128" element "32767" element "-32768" element "32768" )"
                R"(element "-8388608" element "8388607" element "8388608" element "-2147483648" )"
                R"(element "2147483648" element "-9223372036854775808" element "" element "a")");
}

TEST(Ziplist, TheVectorOfTheReference) {
  const std::string blob = str(from_hex("100000000D000000020000016103F2FF"));
  expect_events({hash, blob}, R"(field "a" value "1")");
  expect_events({zset, blob}, R"(member "a" score 1)");
}

TEST(Ziplist, TextsOfAllLengthFormsAndLongEntriesBefore) {
  expect_accepted({list, str(ziplist({std::string(63, 'a'), std::string(64, 'b'),
                                      std::string(250, 'c'), std::string(251, 'd'), 5,
                                      std::string(16383, 'e'), std::string(16384, 'f'), "g"}))});
}

TEST(Ziplist, TheHeaderSaysTheBytes) {
  expect_bad(with(ziplist({"a"}), 0, "\x0F"), "its header says 15 bytes, there are 14");
  expect_bad(with(ziplist({"a"}), 0, "\x0D"), "its header says 13 bytes, there are 14");
  expect_bad(from_hex("0A0000000A0000000000"), "it has only 10 bytes");
  expect_bad("xxxxx", "it has only 5 bytes");
}

TEST(Ziplist, TheHeaderSaysTheElements) {
  expect_bad(with(ziplist({"a", "b"}), 8, "\x03"), "its header says 3 elements, there are 2");
  expect_bad(with(ziplist({"a", "b"}), 8, "\x01"), "its header says 1 elements, there are 2");
  expect_accepted({list, str(with(ziplist({"a", "b"}), 8, "\xFF\xFF"))});
}

TEST(Ziplist, TheHeaderSaysWhereTheLastEntryIs) {
  expect_bad(with(ziplist({"a", "b"}), 4, "\x0A"),
             "its header has the last entry at byte 10, it is at 13");
  expect_bad(with(ziplist({"a", "b"}), 4, "\x0E"), "the last entry at byte 14, it is at 13");
  expect_bad(with(ziplist({}), 4, "\x0B"), "the last entry at byte 11, it is at 10");
}

TEST(Ziplist, EveryEntrySaysTheLengthOfTheOneBefore) {
  expect_bad(with(ziplist({"a", "b"}), 10, "\x01"),
             "element 0 at byte 10: it says that the entry before has 1 bytes, it has 0");
  expect_bad(with(ziplist({"a", "b"}), 13, "\x04"),
             "element 1 at byte 13: it says that the entry before has 4 bytes, it has 3");
  const std::string blob = ziplist({std::string(300, 'x'), "b"});
  const std::size_t at = blob.size() - 8;  // FE 2F 01 00 00, then "b" in two bytes and the end
  EXPECT_EQ(blob[at], '\xFE');
  expect_bad(with(blob, at + 1, "\x30"), "the entry before has 304 bytes, it has 303");
}

TEST(Ziplist, AShortLengthInItsLongFormIsAccepted) {
  const std::string blob = from_hex("13000000 0D000000 0200 00 01'a' FE03000000 F2 FF");
  expect_events({list, str(with(blob, 0, std::string(1, static_cast<char>(blob.size()))))},
                R"(element "a" element "1")");
}

TEST(Ziplist, UnknownEncodings) {
  for (const char first : {'\xC1', '\xD1', '\xE1', '\xFF'}) {
    expect_bad(with(ziplist({1, 2}), 13, std::string(1, first)),
               "element 1 at byte 12: unknown encoding");
  }
}

TEST(Ziplist, EntriesLieWithin) {
  expect_bad(with(ziplist({"abc"}), 11, "\x04"), "element 0 at byte 11: its 4 bytes reach beyond");
  expect_bad(with(ziplist({"abc"}), 11, "\x7F"), "reach beyond the end");
  expect_bad(with(ziplist({"abcdef"}), 11, std::string("\x80\xFF\xFF\xFF\xFF", 5)),
             "its 4294967295 bytes reach beyond the end");
  expect_bad(with(ziplist({300}), 11, "\xE0"), "it ends before its terminator");
}

TEST(Ziplist, TheTerminatorIsAtTheEnd) {
  expect_bad(with(ziplist({"a", "b"}), 13, "\xFF"), "its header says 2 elements, there are 1");
  std::string early = with(with(ziplist({"a", "b"}), 13, "\xFF"), 8, "\x01");
  expect_bad(with(early, 4, "\x0A"), "it ends at byte 14 of 17");
  expect_bad(with(ziplist({"a"}), 13, std::string(1, '\x03')), "it ends before its terminator");
}

TEST(Ziplist, TuplesAreWholeAndUnique) {
  expect_refused(Depth::decode, {hash, str(ziplist({"a", 1, "b"}))}, Errc::bad_encoding,
                 "ziplist: 3 elements, not a multiple of 2");
  expect_refused(Depth::decode, {zset, str(ziplist({"a"}))}, Errc::bad_encoding, "multiple of 2");
  expect_refused(Depth::verify, {hash, str(ziplist({"a", 1, "a", 2}))}, Errc::duplicate_element,
                 "field number 1");
  expect_refused(Depth::verify, {zset, str(ziplist({"a", 1, "a", 2}))}, Errc::duplicate_element,
                 "member number 1");
  expect_refused(Depth::verify, {hash, str(ziplist({7, 1, "7", 2}))}, Errc::duplicate_element,
                 "field");
}

TEST(Ziplist, Scores) {
  expect_events({zset, str(ziplist({"a", "-inf", "b", "0.10000000000000001", "c", 3}))},
                R"(member "a" score -inf member "b" score 0.10000000000000001 )"
                R"(member "c" score 3)");
  expect_refused(Depth::verify, {zset, str(ziplist({"a", 2, "b", "1.5"}))}, Errc::bad_order,
                 "a score below the one before it");
  expect_refused(Depth::decode, {zset, str(ziplist({"a", "nan"}))}, Errc::bad_value,
                 "a score that is not a number");
}

TEST(Ziplist, Quicklists) {
  expect_events(
      {quicklist, len(3) + str(ziplist({"a"})) + str(ziplist({})) + lzf_str(ziplist({"b", 7}))},
      R"(element "a" element "b" element "7")");
  expect_refused(Depth::verify, {quicklist, len(0)}, Errc::empty_value, "list");
  expect_refused(Depth::verify, {quicklist, len(1) + str(ziplist({}))}, Errc::empty_value, "list");
  expect_refused(Depth::decode, {quicklist, len(2) + str(ziplist({"a"})) + str("xy")},
                 Errc::bad_encoding, "ziplist: it has only 2 bytes");
}

TEST(Ziplist, EmptyCollections) {
  for (const std::uint8_t type : {list, zset, hash}) {
    expect_refused(Depth::verify, {type, str(ziplist({}))}, Errc::empty_value, "without elements");
  }
}

}  // namespace
}  // namespace sluice::rdb::testing
