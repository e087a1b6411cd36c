// Listpacks, read as the values they make up: by hand, since no writer of ours is involved.

#include <gtest/gtest.h>

#include "encoding_builder.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr std::uint8_t hash = 16;
constexpr std::uint8_t zset = 17;
constexpr std::uint8_t quicklist = 18;
constexpr std::uint8_t set = 20;

Value list_of(std::string_view blob) { return {quicklist, len(1) + len(2) + str(blob)}; }

void expect_bad(std::string_view blob, std::string_view detail) {
  expect_refused(Depth::decode, list_of(blob), Errc::bad_encoding, detail);
}

std::string with(std::string blob, std::size_t at, std::string_view bytes) {
  return blob.replace(at, bytes.size(), bytes);
}

TEST(Listpack, EveryElementEncoding) {
  expect_events(list_of(listpack({0,
                                  127,
                                  128,
                                  -1,
                                  4095,
                                  -4096,
                                  4096,
                                  -4097,
                                  32767,
                                  -32768,
                                  32768,
                                  8388607,
                                  -8388608,
                                  8388608,
                                  INT64_C(2147483647),
                                  INT64_C(-2147483648),
                                  INT64_C(2147483648),
                                  INT64_MAX,
                                  INT64_MIN,
                                  "",
                                  "a",
                                  "12",
                                  std::string("\0\xff", 2)})),
                R"(element "0" element "127" element "128" element "-1" element "4095" )"
                R"(element "-4096" element "4096" element "-4097" element "32767" )"
                R"(element "-32768" element "32768" element "8388607" element "-8388608" )"
                R"(element "8388608" element "2147483647" element "-2147483648" )"
                R"(element "2147483648" element "9223372036854775807" )"
                R"(element "-9223372036854775808" element "" element "a" element "12" )"
                R"(element "\x00\xff")");
}

TEST(Listpack, WiderEncodingsOfSmallNumbersAndShortTextsAreAccepted) {
  expect_events(list_of(listpack_of(from_hex("C005 02 F10500 03 F2FFFFFF 04 F3FEFFFFFF 05 "
                                             "F40500000000000000 09 E00161 03 F00100000061 06"),
                                    7)),
                R"(element "5" element "5" element "-1" element "-2" element "5" )"
                R"(element "a" element "a")");
}

TEST(Listpack, TheVectorOfTheReference) {
  const Value value{hash, str(from_hex("1200000004008161020101816202DFFF02FF"))};
  expect_events(value, R"(field "a" value "1" field "b" value "-1")");
}

TEST(Listpack, TextsOfAllLengthForms) {
  const std::string t64(64, 'x');
  const std::string t4096(4096, 'y');
  const std::string t40000(40000, 'z');
  const Value value =
      list_of(listpack({std::string(63, 'w'), t64, std::string(4095, 'v'), t4096, t40000, "end"}));
  expect_accepted(value);
  EXPECT_NE(read(value).log.find("40000:"), std::string::npos);
}

TEST(Listpack, TheHeaderSaysTheBytes) {
  expect_bad(with(listpack({"a"}), 0, "\x0B"), "its header says 11 bytes, there are 10");
  expect_bad(with(listpack({"a"}), 0, "\x09"), "its header says 9 bytes, there are 10");
  expect_bad(from_hex("06000000 0000"), "it has only 6 bytes");
  expect_bad("", "it has only 0 bytes");
}

TEST(Listpack, TheHeaderSaysTheElements) {
  expect_bad(with(listpack({"a", "b"}), 4, "\x03"), "its header says 3 elements, there are 2");
  expect_bad(with(listpack({"a", "b"}), 4, "\x01"), "its header says 1 elements, there are 2");
  expect_accepted(list_of(with(listpack({"a", "b"}), 4, "\xFF\xFF")));  // not known
}

TEST(Listpack, ManyElementsAreNotCounted) {
  const Value value = list_of(listpack(Elements(70000, Element(7))));
  const Reading whole = read(value);
  EXPECT_EQ(whole.error, std::nullopt);
  EXPECT_EQ(read(value, {}, std::array<std::size_t, 2>{30000, 70001}), whole);
}

TEST(Listpack, UnknownEncodings) {
  for (const char first : {'\xF5', '\xF6', '\xFE'}) {
    expect_bad(with(listpack({"a", 1}), 9, std::string(1, first)),
               "element 1 at byte 9: unknown encoding");
  }
}

TEST(Listpack, ElementsLieWithin) {
  expect_bad(with(listpack({"abc"}), 6, "\x84"), "element 0 at byte 6: its 5 bytes reach beyond");
  expect_bad(with(listpack({"abc"}), 6, "\xBF"), "reach beyond the end");
  expect_bad(with(listpack({"abc"}), 6, "\xEF"), "reach beyond the end");
  expect_bad(listpack_of(from_hex("F0FFFFFFFF 05"), 1), "reach beyond the end");
  expect_bad(listpack_of(from_hex("F4 00000000"), 1), "it ends before its terminator");
}

TEST(Listpack, BackLengths) {
  expect_bad(with(listpack({"abc"}), 10, "\x05"), "element 0 at byte 10: its back length is not 4");
  expect_bad(with(listpack({"abc"}), 10, "\x84"), "its back length is not 4");
  const std::string long_one = listpack({std::string(200, 'x')});  // 202 bytes: 01 CA
  const std::size_t at = long_one.size() - 3;
  expect_bad(with(long_one, at, "\x01\x4A"), "its back length is not 202");
  expect_bad(with(long_one, at, "\x81\xCA"), "its back length is not 202");
  expect_bad(with(long_one, at, "\x01\xCB"), "its back length is not 202");
}

// What an older and a newer server write for the same element differs: both are read.
TEST(Listpack, BackLengthsOfTheThreeSizesInBothGenerations) {
  for (const std::size_t entry : {16383u, 2097151u}) {
    for (const auto generation : {Generation::older, Generation::newer}) {
      for (const std::size_t size : {entry - 1, entry, entry + 1}) {
        const std::string text(size - 5, 'x');
        const Value value = list_of(listpack({"a", text, "b"}, generation));
        const Reading reading = read(value);
        EXPECT_EQ(reading.error, std::nullopt) << size;
        EXPECT_TRUE(reading.log.ends_with(" element \"b\"")) << reading.log;
        const std::size_t back = value.bytes.size() - 8;
        for (std::size_t cut = back; cut < value.bytes.size(); ++cut) {
          EXPECT_EQ(read(value, {}, std::array{cut}), reading) << cut;
        }
      }
    }
  }
  EXPECT_EQ(listpack({std::string(16378, 'x')}, Generation::newer).size() + 1,
            listpack({std::string(16378, 'x')}, Generation::older).size());
}

// 256 MiB, in pieces.
TEST(Listpack, BackLengthOfTheThirdSize) {
  constexpr std::size_t text_bytes = 268435455 - 5;
  const std::string block(1 << 20, 'x');
  for (const std::string& back : {from_hex("7FFFFFFF"), from_hex("00FFFFFFFF")}) {
    ValueRecorder seen;
    ValueReader reader(seen, {.texts = {}, .strict = true});
    RecordHeader record;
    record.type = find_value_type(Dialect::redis, quicklist);
    reader.begin(record, {.dialect = Dialect::redis, .version = 10});
    const std::uint64_t size = 6 + 5 + text_bytes + back.size() + 1;
    const std::string head = len(1) + len(2) + len(size) + little(size, 4) + little(1, 2) + '\xF0' +
                             little(text_bytes, 4);
    ASSERT_TRUE(reader.feed(bytes(head)));
    for (std::size_t left = text_bytes; left > 0;) {
      const auto piece = bytes(block).first(std::min(left, block.size()));
      ASSERT_TRUE(reader.feed(piece));
      left -= piece.size();
    }
    ASSERT_TRUE(reader.feed(bytes(back + '\xFF')));
    EXPECT_TRUE(reader.end());
  }
}

TEST(Listpack, TheTerminatorIsAtTheEnd) {
  expect_bad(with(listpack({"a", "b"}), 9, "\xFF"), "its header says 2 elements, there are 1");
  expect_bad(with(with(listpack({"a", "b"}), 9, "\xFF"), 4, "\x01"), "it ends at byte 10 of 13");
  expect_bad(with(listpack({"a"}), 9, "\x01"), "its 1 bytes reach beyond the end");
}

TEST(Listpack, TuplesAreWhole) {
  expect_refused(Depth::decode, {hash, str(listpack({"a", 1, "b"}))}, Errc::bad_encoding,
                 "listpack: 3 elements, not a multiple of 2");
  expect_refused(Depth::decode, {zset, str(listpack({"a", 1, "b"}))}, Errc::bad_encoding,
                 "3 elements, not a multiple of 2");
  const std::string triples = str(listpack({"a", 1, 0, "b"}));
  expect_refused(Depth::decode, {25, little(0, 8) + triples}, Errc::bad_encoding,
                 "4 elements, not a multiple of 3");
  expect_refused(Depth::decode, {23, triples}, Errc::bad_encoding, "not a multiple of 3");
}

TEST(Listpack, DuplicatesWhateverTheirEncoding) {
  expect_refused(Depth::verify, {set, str(listpack({"a", "b", "a"}))}, Errc::duplicate_element,
                 "member number 2 was there before");
  expect_refused(Depth::verify, {set, str(listpack({1, "1"}))}, Errc::duplicate_element, "member");
  expect_refused(Depth::verify, {hash, str(listpack({"a", 1, "a", 2}))}, Errc::duplicate_element,
                 "field");
  expect_refused(Depth::verify, {zset, str(listpack({"a", 1, "a", 2}))}, Errc::duplicate_element,
                 "member");
  expect_refused(Depth::verify, {25, little(9, 8) + str(listpack({"a", 1, 9, "a", 1, 9}))},
                 Errc::duplicate_element, "field");
  expect_accepted({hash, str(listpack({"a", "a", "b", "a"}))});
  const std::string long_one(5000, 'x');
  expect_refused(Depth::verify, {set, str(listpack({long_one, "b", long_one}))},
                 Errc::duplicate_element, "member");
}

TEST(Listpack, Scores) {
  expect_events({zset, str(listpack({"a", "-inf", "b", -3, "c", "2.5", "d", "1e+20", "e", "inf"}))},
                R"(member "a" score -inf member "b" score -3 member "c" score 2.5 )"
                R"(member "d" score 1e+20 member "e" score inf)");
  expect_events({zset, str(listpack({"a", "-0", "b", 0, "c", "5e-324", "d", "1e-310"}))},
                R"(member "a" score -0 member "b" score 0 member "c" score )"
                R"(4.9406564584124654e-324 member "d" score 9.9999999999999694e-311)");
  expect_events({zset, str(listpack({"a", "1e-400", "b", 1, "c", "1e400"}))},
                R"(member "a" score 0 member "b" score 1 member "c" score inf)");
  for (const std::string text : {"nan", "-nan", "x", "1.5x", "", " 1"}) {
    expect_refused(Depth::decode, {zset, str(listpack({"a", text}))}, Errc::bad_value,
                   "a score that is not a number");
  }
  expect_refused(Depth::decode, {zset, str(listpack({"a", std::string(257, '1')}))},
                 Errc::bad_value, "a text of 257 bytes in place of a number");
}

TEST(Listpack, ScoresAscend) {
  expect_refused(Depth::verify, {zset, str(listpack({"a", 2, "b", 1}))}, Errc::bad_order,
                 "a score below the one before it");
  expect_refused(Depth::verify, {zset, str(listpack({"a", "1.5", "b", "1.25"}))}, Errc::bad_order,
                 "a score below");
  expect_accepted({zset, str(listpack({"a", 1, "b", 1}))});
}

TEST(Listpack, Quicklists) {
  const std::string plain = len(1) + str("big");
  expect_events({quicklist, len(3) + len(2) + str(listpack({})) + plain + len(2) +
                                lzf_str(listpack({"x", 5}))},
                R"(element "big" element "x" element "5")");
  expect_refused(Depth::decode, {quicklist, len(1) + len(3) + str("a")}, Errc::bad_value,
                 "quicklist node container 3");
  expect_refused(Depth::decode, {quicklist, len(1) + len(0) + str("a")}, Errc::bad_value,
                 "quicklist node container 0");
  expect_refused(Depth::verify, {quicklist, len(1) + len(1) + str("")}, Errc::bad_value,
                 "a quicklist node without data");
  expect_refused(Depth::verify, {quicklist, len(1) + len(1) + "\xC3" + len(0) + len(0)},
                 Errc::bad_value, "a quicklist node without data");
}

TEST(Listpack, EmptyCollections) {
  for (const std::uint8_t type : {hash, zset, set}) {
    expect_refused(Depth::verify, {type, str(listpack({}))}, Errc::empty_value, "without elements");
  }
  expect_refused(Depth::verify, {25, little(0, 8) + str(listpack({}))}, Errc::empty_value, "hash");
  expect_refused(Depth::verify, {quicklist, len(0)}, Errc::empty_value, "list");
  expect_refused(Depth::verify, list_of(listpack({})), Errc::empty_value, "list");
}

TEST(Listpack, ANumberCannotBeOne) {
  expect_refused(Depth::decode, {hash, from_hex("C0 05")}, Errc::bad_encoding, "it has only 1");
}

}  // namespace
}  // namespace sluice::rdb::testing
