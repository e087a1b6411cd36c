// Values without inner encodings: strings, lists, sets, sorted sets, hashes, arrays, modules.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "encoding_builder.h"
#include "recorder.h"
#include "value_recorder.h"

namespace sluice::rdb::testing {
namespace {

constexpr std::uint8_t zset = 3;
constexpr std::uint8_t zset_2 = 5;
constexpr std::uint8_t module = 7;
constexpr std::uint8_t array = 28;

std::string ascii(std::string_view score) { return little(score.size(), 1) + std::string(score); }

TEST(ValueSimple, StringsInEveryForm) {
  expect_events({0, from_hex("00")}, R"(string "")");
  expect_events({0, from_hex("03 'bar'")}, R"(string "bar")");
  expect_events({0, from_hex("C0 80")}, R"(string "-128")");
  expect_events({0, from_hex("C0 0A")}, R"(string "10")");
  expect_events({0, from_hex("C1 0080")}, R"(string "-32768")");
  expect_events({0, from_hex("C2 00000080")}, R"(string "-2147483648")");
  expect_events({0, from_hex("C3 05 1A 0061E01000")}, R"(string "aaaaaaaaaaaaaaaaaaaaaaaaaa")");
  expect_accepted({0, str(std::string(70000, 'x'))});
  expect_accepted({0, lzf_str(std::string(4000, 'x'))});
}

TEST(ValueSimple, LzfThatIsNotWhatItSays) {
  const auto expect_bad = [](std::string_view hex) {
    for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 1}) {
      const std::string head = type == 0 ? "" : len(1);
      expect_refused(Depth::decode, {type, head + from_hex(hex)}, Errc::bad_string,
                     "LZF data does not expand to ");
    }
  };
  expect_bad("C3 05 1B 0061E01000");  // one byte less than it says
  expect_bad("C3 05 19 0061E01000");  // one more
  expect_bad("C3 05 1A 0061E01001");  // a match before the start
  expect_bad("C3 04 1A 0061E010");    // a cut match
  expect_bad("C3 03 03 026162");      // a cut run
  expect_bad("C3 01 00 00");          // nothing, from something
  expect_bad("C3 00 01");             // something, from nothing
}

TEST(ValueSimple, LzfOfMoreThanIsExpandedAtOnce) {
  std::string compressed = from_hex("0061");
  for (int i = 0; i < 100; ++i) compressed += from_hex("E0 FF 00");  // 264 each
  const std::string head = "\xC3" + len(compressed.size());
  expect_events({0, head + len(26401) + compressed},
                "string 26401:" + std::to_string(std::stoull(
                                      read({0, str(std::string(26401, 'a'))}).log.substr(13))));
  for (const std::size_t wrong : {26400u, 26402u}) {
    expect_refused(Depth::decode, {0, head + len(wrong) + compressed}, Errc::bad_string,
                   "LZF data does not expand to " + std::to_string(wrong));
  }
}

// Whatever is found first in the bytes is what is told, however they are cut.
TEST(ValueSimple, AMalformedElementInMalformedLzf) {
  const std::string blob = listpack({"a", 1});
  const std::string wrong = "\x01" + blob.substr(1);  // the header does not fit
  std::string stored = lzf_str(wrong);
  stored.back() = '\xFE';  // in the last literal: sound LZF
  expect_refused(Depth::decode, {16, stored}, Errc::bad_encoding, "its header says 1 bytes");
  const std::string cut_run =
      "\xC3" + len(wrong.size()) + len(wrong.size()) + '\x1F' + wrong.substr(0, wrong.size() - 1);
  expect_refused(Depth::decode, {16, cut_run}, Errc::bad_string, "LZF data does not expand");
}

TEST(ValueSimple, ListsSetsAndHashes) {
  const std::string three = len(3) + str("a") + str("") + from_hex("C0 07");
  expect_events({1, three}, R"(element "a" element "" element "7")");
  expect_events({2, three}, R"(member "a" member "" member "7")");
  expect_events({4, len(2) + str("a") + str("1") + str("b") + from_hex("C1 E803")},
                R"(field "a" value "1" field "b" value "1000")");
  expect_accepted({1, len(2) + str("a") + str("a")});
}

TEST(ValueSimple, DuplicatesWhateverTheirForm) {
  const std::string long_one(3000, 'x');
  for (const auto& [first, second] :
       std::vector<std::pair<std::string, std::string>>{{str("a"), str("a")},
                                                        {str("7"), from_hex("C0 07")},
                                                        {str(long_one), lzf_str(long_one)},
                                                        {str(""), str("")}}) {
    expect_refused(Depth::verify, {2, len(3) + first + str("b") + second}, Errc::duplicate_element,
                   "member number 2 was there before");
    expect_refused(Depth::verify, {4, len(2) + first + str("b") + second + str("b")},
                   Errc::duplicate_element, "field number 1 was there before");
    expect_refused(Depth::verify, {zset, len(2) + first + ascii("1") + second + ascii("2")},
                   Errc::duplicate_element, "member number 1");
    expect_refused(Depth::verify, {zset_2, len(2) + first + real(1) + second + real(2)},
                   Errc::duplicate_element, "member number 1");
  }
}

TEST(ValueSimple, DuplicatesAmongMany) {
  std::string members;
  for (int i = 0; i < 5000; ++i) members += str("member " + std::to_string(i));
  const Value unique{2, len(5000) + members};
  EXPECT_EQ(read(unique).error, std::nullopt);
  for (const int again : {0, 15, 16, 17, 2500, 4999}) {
    const Reading reading = read({2, len(5001) + members + str("member " + std::to_string(again))});
    ASSERT_TRUE(reading.error.has_value());
    EXPECT_EQ(reading.error->code, Errc::duplicate_element);
  }
}

TEST(ValueSimple, EmptyCollections) {
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{1, 2, 3, 4, 5, 14, 18, 22}) {
    expect_refused(Depth::verify, {type, len(0)}, Errc::empty_value, "without elements");
  }
  expect_refused(Depth::verify, {24, little(0, 8) + len(0)}, Errc::empty_value,
                 "a hash as hash_metadata without elements");
  expect_refused(Depth::verify, {22, len(0), Dialect::valkey, 80}, Errc::empty_value, "hash_2");
  expect_refused(Depth::verify, {array, len(0) + len(0)}, Errc::empty_value, "array");
}

TEST(ValueSimple, ScoresAsText) {
  expect_events({zset, len(9) + str("a") + ascii("1.5") + str("b") + ascii("-1e-7") + str("c") +
                           "\xFE" + str("d") + "\xFF" + str("e") + ascii("-0") + str("f") +
                           ascii("inf") + str("g") + ascii("1e400") + str("h") + ascii("-1e-400") +
                           str("i") + ascii("0.10000000000000001")},
                R"(member "a" score 1.5 member "b" score -9.9999999999999995e-08 )"
                R"(member "c" score inf member "d" score -inf member "e" score -0 )"
                R"(member "f" score inf member "g" score inf member "h" score -0 )"
                R"(member "i" score 0.10000000000000001)");
  for (const std::string& score :
       {std::string("\xFD"), ascii("nan"), ascii("-nan"), ascii(""), ascii("x"), ascii("1x"),
        ascii("1 "), ascii(std::string(252, '-'))}) {
    expect_refused(Depth::decode, {zset, len(1) + str("a") + score}, Errc::bad_value,
                   "a score that is not a number");
  }
  expect_accepted({zset, len(1) + str("a") + ascii(std::string(252, '1'))});
}

TEST(ValueSimple, ScoresInBinary) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  expect_events({zset_2, len(4) + str("a") + real(infinity) + str("b") + real(5e-324) + str("c") +
                             real(-0.0) + str("d") + real(-infinity)},
                R"(member "a" score inf member "b" score 4.9406564584124654e-324 )"
                R"(member "c" score -0 member "d" score -inf)");
  for (const double nan : {std::nan(""), -std::nan("")}) {
    expect_refused(Depth::decode, {zset_2, len(1) + str("a") + real(nan)}, Errc::bad_value,
                   "a score that is not a number");
  }
}

TEST(ValueSimple, Arrays) {
  expect_events({array, from_hex("04 01 07 00 00 03 'abc' 41 00 01 FFFFFFFFFFFFFFFF 42 00 02 "
                                 "000000000000F03F 81 FFFFFFFFFFFFFFFE 03 02 'xy'")},
                R"(array_insert_index 7 array_index 0 array_text "abc" array_index 256 )"
                R"(array_integer -1 array_index 512 array_real 1 )"
                R"(array_index 18446744073709551614 array_text "xy")");
  expect_events({array, from_hex("01 00 05 00 C0 07")}, R"(array_index 5 array_text "7")");
}

TEST(ValueSimple, ArraysThatAreNot) {
  expect_refused(Depth::decode, {array, from_hex("01 02 00")}, Errc::bad_value,
                 "array flag is neither 0 nor 1");
  expect_refused(Depth::decode, {array, from_hex("01 00 00 04 00")}, Errc::bad_value,
                 "array tag 4");
  expect_refused(Depth::decode, {array, from_hex("01 00 81 FFFFFFFFFFFFFFFF 00 00")},
                 Errc::bad_value, "an array index of 2^64 - 1");
  expect_refused(Depth::verify, {array, from_hex("03 00 05 00 00 06 00 00 05 00 00")},
                 Errc::duplicate_element, "array index 5");
  expect_refused(Depth::verify, {array, from_hex("01 00 00 03 08 '12345678'")}, Errc::bad_value,
                 "a small array string of 8 bytes");
  expect_refused(Depth::verify, {array, from_hex("01 00 00 03 C2 00E1F505")}, Errc::bad_value,
                 "a small array string of 9 bytes");
  expect_accepted({array, from_hex("01 00 00 03 07 '1234567'")});
}

TEST(ValueSimple, Modules) {
  expect_events({module, from_hex("81 BDE72DA2BB1EB400 02 03 01 81 FFFFFFFFFFFFFFFF 03 0000803F "
                                  "04 000000000000F83F 05 00 05 C3 05 1A 0061E01000 05 C0 FF 00")},
                R"(module_id 13683956169735844864 module_unsigned 3 module_signed -1 )"
                R"(module_float 1 module_double 1.5 module_text "" )"
                R"(module_text "aaaaaaaaaaaaaaaaaaaaaaaaaa" module_text "-1")");
  expect_events({module, from_hex("05 00")}, "module_id 5");
  for (const std::uint64_t opcode : {6u, 7u, 300u}) {
    expect_refused(Depth::decode, {module, len(5) + len(opcode) + len(0)}, Errc::bad_value,
                   "module opcode " + std::to_string(opcode));
  }
}

}  // namespace
}  // namespace sluice::rdb::testing
