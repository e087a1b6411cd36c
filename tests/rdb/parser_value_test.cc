// Every value type, byte for byte, fed at every split: the parser must find the end of the value,
// which a second key proves.

#include <gtest/gtest.h>

#include <set>

#include "recorder.h"

namespace sluice::rdb::testing {
namespace {

struct Golden {
  std::string_view name;  ///< As in the type table, with the logical type.
  Dialect dialect;
  std::uint8_t number;
  std::string_view value;  ///< Hex.
};

constexpr auto redis = Dialect::redis;
constexpr auto valkey = Dialect::valkey;

constexpr std::string_view listpack = "12 12000000 0400 816102 0101 816202 DFFF02 FF";
constexpr std::string_view stream_nodes =
    "01 10 00000000000003E80000000000000000"
    " 1D 1D0000000A0001010001010181660200010201000100018176020401FF 01 43E8 00";
constexpr std::string_view stream_id = "00000000000003E80000000000000000";

std::string stream_value(std::uint8_t type) {
  const std::string id(stream_id);
  const std::string ms = " E803000000000000 ";
  std::string hex(stream_nodes);
  if (type >= 19) hex += " 43E8 00 00 00 01";     // first id, max deleted id, added
  hex += " 02 01 'g' 43E8 00";                    // two groups; name, last id
  if (type >= 19) hex += " 81 FFFFFFFFFFFFFFFF";  // entries read: unknown
  hex += " 01" + id + ms + "02";                  // PEL
  hex += " 02 01 'c'" + ms + (type >= 21 ? ms : " ") + "01" + id;
  hex += " 01 'd'" + ms + (type >= 21 ? "FFFFFFFFFFFFFFFF" : "") + "00";
  if (type >= 27) hex += " 01" + id;  // NACK zone
  hex += " 01 'h' 00 00";             // an empty group
  if (type >= 19) hex += " 00";
  hex += " 00 00";
  if (type >= 27) hex += " 00";
  if (type >= 26) hex += " 4064 4100 02 01 'p' 01 02 'id' 43E8 00 01 'q' 00 05 01";
  return hex;
}

Outcome parse_value(Dialect dialect, std::uint8_t number, std::string_view hex) {
  const std::string body =
      static_cast<char>(number) + from_hex("01 'k'") + from_hex(hex) + from_hex("00 01 'l' 01 'w'");
  return parse_at_every_split(dialect == Dialect::redis ? redis_stream(14, body)
                                                        : valkey_stream(80, body));
}

void expect_value(const Golden& golden) {
  SCOPED_TRACE(std::string(golden.name));
  const std::string value = from_hex(golden.value);
  const Outcome outcome = parse_value(golden.dialect, golden.number, golden.value);
  EXPECT_FALSE(outcome.error) << to_string(*outcome.error);
  const std::string end = std::to_string(9 + 3 + value.size());
  const std::string shown = to_hex(bytes(value));
  EXPECT_EQ(outcome.log, std::string(golden.dialect == redis ? "redis 14" : "valkey 80") +
                             "\nrecord 0 at 9 db 0 " + std::string(golden.name) + " \"k\"\nvalue " +
                             shown + " to " + end + "\nrecord 1 at " + end +
                             " db 0 string/string \"l\"\nvalue 0177 to " +
                             std::to_string(9 + 3 + value.size() + 5) + "\nend checked, " +
                             std::to_string(9 + 3 + value.size() + 5 + 9) + " bytes, 2 records\n");
}

const std::vector<Golden>& goldens() {
  static const std::string stream_15 = stream_value(15);
  static const std::string stream_19 = stream_value(19);
  static const std::string stream_21 = stream_value(21);
  static const std::string stream_26 = stream_value(26);
  static const std::string stream_27 = stream_value(27);
  static const std::vector<Golden> all = {
      {"string/string", redis, 0, "03 'bar'"},
      {"list/list", redis, 1, "03 01 'a' 00 C0 07"},
      {"set/set", redis, 2, "02 01 'a' 01 'b'"},
      {"zset/zset", redis, 3, "05 01 'a' 03 '1.5' 01 'b' FD 01 'c' FE 01 'd' FF 01 'e' 00"},
      {"hash/hash", redis, 4, "02 01 'a' C0 01 01 'b' C1 0001"},
      {"zset_2/zset", redis, 5, "02 01 'a' 000000000000F83F 01 'b' 000000000000F0FF"},
      {"module_2/module", redis, 7,
       "81 BDE72DA2BB1EB400 02 03 01 81 FFFFFFFFFFFFFFFF 03 0000803F 04 000000000000F03F 05 00 "
       "05 04 'abcd' 00"},
      {"hash_zipmap/hash", redis, 9, "08 01 01 'a' 02 00 '11' FF"},
      {"list_ziplist/list", redis, 10, "0D 0D0000000A0000000100 00 F2 FF"},
      {"set_intset/set", redis, 11, "0E 0200000003000000FFFF05002C01"},
      {"zset_ziplist/zset", redis, 12, "10 100000000D000000020000016103F2FF"},
      {"hash_ziplist/hash", redis, 13, "10 100000000D000000020000016103F2FF"},
      {"list_quicklist/list", redis, 14, "02 0D 0D0000000A0000000100 00 F2 FF 02 'xy'"},
      {"stream_listpacks/stream", redis, 15, stream_15},
      {"hash_listpack/hash", redis, 16, listpack},
      {"zset_listpack/zset", redis, 17, listpack},
      {"list_quicklist_2/list", redis, 18,
       "03 02 0D 0D0000000200817802817902FF 01 03 'big' 02 C3 05 1A 0061E01000"},
      {"stream_listpacks_2/stream", redis, 19, stream_19},
      {"set_listpack/set", redis, 20, listpack},
      {"stream_listpacks_3/stream", redis, 21, stream_21},
      {"hash_metadata_pre_ga/hash", redis, 22, "02 81 000001B8DAC5B400 01 'a' 01 '1' 00 01 'b' 00"},
      {"hash_listpack_ex_pre_ga/hash", redis, 23, listpack},
      {"hash_metadata/hash", redis, 24, "00B4C5DAB8010000 02 01 01 'a' 01 '1' 00 01 'b' 01 '2'"},
      {"hash_listpack_ex/hash", redis, 25,
       "00B4C5DAB8010000 1D 1D00000006008161020101F400B4C5DAB80100000981620202010001FF"},
      {"stream_listpacks_4/stream", redis, 26, stream_26},
      {"stream_listpacks_5/stream", redis, 27, stream_27},
      {"array/array", redis, 28,
       "04 01 07 00 00 03 'abc' 41 00 01 FFFFFFFFFFFFFFFF 42 00 02 000000000000F03F "
       "81 FFFFFFFFFFFFFFFE 03 02 'xy'"},
      {"hash_2/hash", valkey, 22,
       "02 01 'a' 01 '1' 00B4C5DAB8010000 01 'b' 01 '2' FFFFFFFFFFFFFFFF"},
  };
  return all;
}

TEST(ParserValue, EveryTypeIsDelimited) {
  for (const Golden& golden : goldens()) expect_value(golden);
}

TEST(ParserValue, EveryRowOfTheTypeTableHasAGoldenValue) {
  std::set<const ValueType*> seen;
  for (const Golden& golden : goldens()) {
    seen.insert(find_value_type(golden.dialect, golden.number));
  }
  for (const Dialect dialect : {redis, valkey}) {
    for (unsigned number = 0; number < 256; ++number) {
      const ValueType* type = find_value_type(dialect, static_cast<std::uint8_t>(number));
      EXPECT_TRUE(type == nullptr || seen.contains(type)) << number;
    }
  }
}

TEST(ParserValue, CommonTypesMeanTheSameUnderTheValkeyMagic) {
  for (Golden golden : goldens()) {
    if (golden.number > 21) continue;
    golden.dialect = valkey;
    expect_value(golden);
  }
}

TEST(ParserValue, EmptyCollections) {
  expect_value({"set/set", redis, 2, "00"});
  expect_value({"zset/zset", redis, 3, "00"});
  expect_value({"list_quicklist_2/list", redis, 18, "00"});
  expect_value({"hash_metadata/hash", redis, 24, "0000000000000000 00"});
  expect_value({"module_2/module", redis, 7, "01 00"});
  expect_value({"array/array", redis, 28, "00 00"});
  expect_value({"stream_listpacks/stream", redis, 15, "00 00 00 00 00"});
  expect_value(
      {"stream_listpacks_5/stream", redis, 27, "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"});
}

void expect_refused(std::uint8_t number, std::string_view hex, Errc code, std::uint64_t offset) {
  SCOPED_TRACE(std::string(hex));
  const Outcome outcome = parse_value(redis, number, hex);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, code);
  EXPECT_EQ(outcome.error->offset, offset);
  EXPECT_EQ(outcome.error->record, 0u);
  EXPECT_EQ(outcome.error->key, "k");
}

TEST(ParserValue, RefusesFieldsThatHoldNoKnownNumber) {
  expect_refused(18, "01 03 00", Errc::bad_value, 13);  // quicklist container
  expect_refused(18, "01 00 00", Errc::bad_value, 13);
  expect_refused(28, "01 02 00", Errc::bad_value, 13);        // array flag
  expect_refused(28, "01 00 00 04 00", Errc::bad_value, 15);  // array tag
  expect_refused(7, "01 06 00", Errc::bad_value, 13);         // module opcode
  expect_refused(7, "01 02 05 40 FF 00", Errc::bad_value, 15);
}

TEST(ParserValue, RefusesAStringFormInPlaceOfALength) {
  expect_refused(1, "C0 01", Errc::bad_length, 12);
  expect_refused(1, "01 C4", Errc::bad_string, 13);
  expect_refused(7, "C3", Errc::bad_length, 12);
  expect_refused(0, "C3 C0 01", Errc::bad_length, 13);
  expect_refused(0, "C3 01 C0", Errc::bad_length, 14);
}

TEST(ParserValue, RefusesAnLzfStringThatCannotExpandSoFar) {
  expect_refused(0, "C3 01 42 0A 00 00", Errc::bad_string, 14);  // one byte to 522
  expect_refused(0, "C3 05 81 FFFFFFFFFFFFFFFF 00", Errc::bad_string, 14);
}

}  // namespace
}  // namespace sluice::rdb::testing
