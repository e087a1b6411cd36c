// Intsets and zipmaps, read as the values they make up.

#include <gtest/gtest.h>

#include "encoding_builder.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

Value intset_value(std::string_view blob) { return {11, str(blob)}; }
Value zipmap_value(std::string_view blob) { return {9, str(blob)}; }

std::string with(std::string blob, std::size_t at, std::string_view bytes) {
  return blob.replace(at, bytes.size(), bytes);
}

TEST(Intset, AllWidths) {
  expect_events(intset_value(from_hex("0200000003000000FFFF05002C01")),
                R"(member "-1" member "5" member "300")");
  expect_events(intset_value(intset(2, {-32768, 32767})), R"(member "-32768" member "32767")");
  expect_events(intset_value(intset(4, {INT32_MIN, -1, INT32_MAX})),
                R"(member "-2147483648" member "-1" member "2147483647")");
  expect_events(intset_value(intset(8, {INT64_MIN, 0, INT64_MAX})),
                R"(member "-9223372036854775808" member "0" member "9223372036854775807")");
}

TEST(Intset, TheWidthIsKnown) {
  for (const unsigned width : {0u, 1u, 3u, 16u}) {
    expect_refused(Depth::decode,
                   intset_value(little(width, 4) + little(1, 4) + std::string(16, 0)),
                   Errc::bad_encoding, "intset: its integers have " + std::to_string(width));
  }
}

TEST(Intset, TheCountMakesTheSize) {
  const auto expect_bad = [](const std::string& blob, std::string_view detail) {
    expect_refused(Depth::decode, intset_value(blob), Errc::bad_encoding, detail);
  };
  expect_bad(with(intset(2, {1, 2}), 4, "\x03"), "3 integers of 2 bytes do not make 12");
  expect_bad(with(intset(2, {1, 2}), 4, "\x01"), "1 integers of 2 bytes do not make 12");
  expect_bad(intset(2, {1}) + '\0', "1 integers of 2 bytes do not make 11");
  // 2^31 + 1 times 8 is 8 in 32 bits.
  expect_bad(little(8, 4) + little(0x80000001, 4) + little(1, 8), "2147483649 integers of 8 bytes");
  expect_bad("abc", "it has only 3 bytes");
  expect_bad("", "it has only 0 bytes");
}

TEST(Intset, IntegersAscend) {
  expect_refused(Depth::verify, intset_value(intset(2, {2, 1})), Errc::bad_encoding,
                 "element 1 at byte 10: 1 follows 2");
  expect_refused(Depth::verify, intset_value(intset(4, {1, 1})), Errc::bad_encoding, "1 follows 1");
  expect_refused(Depth::verify, intset_value(intset(8, {1, -1})), Errc::bad_encoding,
                 "-1 follows 1");
}

TEST(Intset, IsNotEmpty) {
  expect_refused(Depth::verify, intset_value(intset(2, {})), Errc::empty_value,
                 "a set as set_intset without elements");
}

void expect_bad_zipmap(std::string_view blob, std::string_view detail) {
  expect_refused(Depth::decode, zipmap_value(blob), Errc::bad_encoding, detail);
}

TEST(Zipmap, FieldsAndValues) {
  expect_events(zipmap_value(from_hex("02 01 'a' 02 00 '11' 00 00 00 FF")),
                R"(field "a" value "11" field "" value "")");
  expect_events(zipmap_value(zipmap({"a", "1", "b", "2"}, 3)),
                R"(field "a" value "1" field "b" value "2")");
  expect_accepted(zipmap_value(
      zipmap({"a", std::string(253, 'x'), std::string(254, 'y'), std::string(70000, 'z')})));
}

TEST(Zipmap, TheCountIsRightWhereItIsKnown) {
  expect_bad_zipmap(with(zipmap({"a", "1"}), 0, "\x02"), "it says 2 fields, there are 1");
  expect_bad_zipmap(with(zipmap({"a", "1"}), 0, std::string(1, '\0')),
                    "it says 0 fields, there are 1");
  expect_accepted(zipmap_value(with(zipmap({"a", "1"}), 0, "\xFE")));
  expect_accepted(zipmap_value(with(zipmap({"a", "1"}), 0, "\xFF")));
  std::vector<std::string> many;
  for (int i = 0; i < 600; ++i) many.push_back(std::to_string(i));
  expect_accepted(zipmap_value(zipmap(many)));
}

TEST(Zipmap, LengthsLieWithin) {
  expect_bad_zipmap(from_hex("01 09 'a' 01 00 '1' FF"), "its 9 bytes reach beyond the end");
  expect_bad_zipmap(from_hex("01 01 'a' 04 00 '1' FF"), "element 1 at byte 3: its 4 bytes reach");
  expect_bad_zipmap(from_hex("01 FE FFFFFFFF 'a' FF"), "its 4294967295 bytes reach beyond");
  expect_bad_zipmap(from_hex("01 01 'a' 01 02 '1' FF"), "it ends before its terminator");
}

TEST(Zipmap, AShortLengthInItsLongForm) {
  expect_bad_zipmap(from_hex("01 FE01000000 'a' 01 00 '1' FF"), "a short length in its long form");
}

TEST(Zipmap, TheTerminatorIsAtTheEnd) {
  expect_bad_zipmap(from_hex("01 01 'a' 01 00 '1' FF FF"), "it ends at byte 7 of 8");
  expect_bad_zipmap(from_hex("01 01 'a' FF"), "a field without its value");
  expect_bad_zipmap(from_hex("01 01 'a' 01 00 '1'"), "it ends before its terminator");
  expect_bad_zipmap(from_hex("01 01 'a' 02 00 '1'"), "reach beyond the end");
  expect_bad_zipmap(from_hex("01"), "it ends before its terminator");
  expect_bad_zipmap("", "it ends before its terminator");
}

TEST(Zipmap, FieldsAreUniqueAndThere) {
  expect_refused(Depth::verify, zipmap_value(zipmap({"a", "1", "a", "2"})), Errc::duplicate_element,
                 "field number 1");
  expect_refused(Depth::verify, zipmap_value(zipmap({})), Errc::empty_value, "hash_zipmap");
}

}  // namespace
}  // namespace sluice::rdb::testing
